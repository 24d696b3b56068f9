"""Where decisions come from: made again from what they name, what changed since, and documents that must go."""
