"""Pages for people that are made from the code: every law with its figure, the map of the folders."""
