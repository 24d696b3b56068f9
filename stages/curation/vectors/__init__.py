"""Products, clusters and neighbours of vectors."""
