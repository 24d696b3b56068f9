"""Packed tokens, views, their order; no torch."""
