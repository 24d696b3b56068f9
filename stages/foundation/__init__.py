"""What a stage is, how files are written whole, how one-line errors look."""
