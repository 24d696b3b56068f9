"""Rules: list, thresholds, verdicts, rewriting."""
