"""What a GPU computes by kernels of our own."""
