"""Laws over learning rates, batches and schedules."""
