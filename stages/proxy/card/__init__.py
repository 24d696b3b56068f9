"""What a GPU computes by kernels of our own, and which of torch's it computes attention with."""
