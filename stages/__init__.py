"""Plain steps from raw text to a decision; each reads files and writes files. The list is in stages/pipeline.py."""
