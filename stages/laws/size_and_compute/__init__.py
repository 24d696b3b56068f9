"""Laws over model size, tokens and compute."""
