"""Behind verify: what is trained after a decision, and how its predictions fared."""
