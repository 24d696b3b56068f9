"""`assay export`, `assay decide --from` and `assay remove`: the winner handed over, and where it comes from."""
