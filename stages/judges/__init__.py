"""Judges of an arm beside the mean of them all: under other documents, and where one of them speaks against it."""
