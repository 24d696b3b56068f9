"""How good a document is."""
