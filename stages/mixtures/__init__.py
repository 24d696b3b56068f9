"""Behind `assay mixture`: what a table of mixtures says without a formula of the loss."""
