"""Behind sweep: views, trunks, trials, training."""
