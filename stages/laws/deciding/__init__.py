"""Arms along compute: comparison, flips, next run."""
