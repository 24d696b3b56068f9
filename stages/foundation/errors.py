"""The two ways in which Assay declines: bad input (exit 2) and too little evidence (exit 1).

Both carry one line for a person: what was wrong, the value seen, what to do. The command line prints
that line and nothing else; any other exception is a defect of ours and keeps its traceback.
"""


class InputError(ValueError):
    """The input cannot be used. The message names the file (and line), the value seen and the cure."""


class RefusedError(RuntimeError):
    """The input is sound but does not carry the answer asked for. The message says what would."""
