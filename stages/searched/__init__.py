"""Questions whose answer is searched for: a mixture of pools. Their arms are designed here and their records made."""
