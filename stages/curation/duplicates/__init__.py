"""Copies: exact, near, semantic, of lines, of tables, of held-out text."""
