"""The trainer of one group, on one or many devices."""
