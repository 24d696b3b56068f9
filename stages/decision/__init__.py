"""Behind fit and decide: the record of a decision, and what it is made of."""
