"""Behind `assay items`: what a task reports at a larger budget, from what each of its items did at smaller ones."""
