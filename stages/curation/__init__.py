"""What can be measured of documents and images, and what is kept of them; pure functions."""
