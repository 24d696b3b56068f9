"""Behind `assay mix` and `assay mixture`: the best of many mixtures, from plain tables."""
