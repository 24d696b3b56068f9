"""The text and images that the demo uses."""
