"""Names that parameters may use of what lies below, for checks that import nothing of it."""

# tokenisers of the document rules, see text/words.py
TOKENISERS = ("datatrove", "regex", "whitespace")
# columns that every score table has; others are asked for under score.extra
OWN_SCORES = ("quality", "difficulty")
