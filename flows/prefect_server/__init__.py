"""The Prefect server that a run talks to: found or started, watched, told of flows that were killed."""
