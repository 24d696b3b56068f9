"""One file a group of commands: what it prints and how it asks; the numbers come from stages/."""
