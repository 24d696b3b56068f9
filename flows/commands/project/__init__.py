"""Commands on a project with params.yaml and data/: one file a group."""
