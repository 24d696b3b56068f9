"""Losses and items on held-out text."""
