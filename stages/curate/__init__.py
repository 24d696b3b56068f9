"""What `assay curate` does, from its settings to its report."""
