"""Behind the stage fit: its section, which laws are candidates for a question, and how they are chosen and checked."""
