"""Several judges of an arm in one number: held-out domains and scored items, weighed, in bits a byte."""
