"""Processes that end: with whoever started them, at a signal, and calls that end at a deadline."""
