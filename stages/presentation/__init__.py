"""How numbers, metrics and plots look; no laws, no data."""
