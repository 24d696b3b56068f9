"""Theory and measures that the engine fits to nothing."""
