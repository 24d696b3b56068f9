"""Behind `assay fit`, `compare`, `plan` and `isoflop` on anybody's table."""
