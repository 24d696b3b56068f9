"""What a law is; its rows; its vector of unknowns."""
