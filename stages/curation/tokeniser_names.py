"""The tokenisers of the document rules by name; text/words.py has them."""

TOKENISERS = ("datatrove", "regex", "whitespace")
