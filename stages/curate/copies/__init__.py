"""The search for copies in bounded memory: who shares a key, who is alike, who stays."""
