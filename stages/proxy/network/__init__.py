"""Weights, gradients, optimiser, memory."""
