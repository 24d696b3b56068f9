"""Between the passes: what looks at all documents."""
