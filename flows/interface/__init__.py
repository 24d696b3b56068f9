"""What `assay` reads from the command line, a file a family of commands."""
