"""What defines a run; no torch."""
