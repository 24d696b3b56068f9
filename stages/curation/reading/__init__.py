"""From what a person names to document tables."""
