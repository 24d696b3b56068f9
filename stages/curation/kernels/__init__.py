"""Everything that numba compiles, and how it is kept."""
