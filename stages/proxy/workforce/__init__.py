"""Many groups: plan, workers, leases, progress. Outside the trainer's hash."""
