"""Intervals, back-tests, the choice among laws."""
