"""Behind fit, decide and report."""
