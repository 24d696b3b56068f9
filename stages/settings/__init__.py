"""Sections of params.yaml that are more than a few fields, and the check of the whole file."""
