"""What is measured in a block of text."""
