"""Units of work of `assay curate`: on disk, shared by workers, resumed."""
