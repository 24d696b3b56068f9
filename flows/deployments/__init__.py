"""Flows that prefect.yaml deploys beside the main one, and what a process needs that a worker starts."""
