"""Kept fractions, draws, arms as views, the ledger."""
