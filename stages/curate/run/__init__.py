"""The run behind `assay curate`: plan, pass 2, manifest and report."""
