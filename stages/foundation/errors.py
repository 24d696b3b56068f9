"""The two ways in which Assay declines: bad input (exit 2) and too little evidence (exit 1).

Both carry one line for a person: what was wrong, the value seen, what to do. The command line prints
that line and nothing else; any other exception is a defect of ours and keeps its traceback.
"""


class InputError(ValueError):
    """The input cannot be used. The message names the file (and line), the value seen and the cure."""


class ParamsError(InputError):
    """A parameter asks for what cannot be. The message begins with the dotted key; which file of
    parameters holds it only the command knows, which puts the name in front (`in_file`).
    """


def in_file(error: Exception, params_file: object) -> str:
    """The line for a person: a fault of the parameters with the name of their file in front.

    >>> in_file(ParamsError("sweep.lr: too high"), "mine.yaml")
    'mine.yaml: sweep.lr: too high'
    """
    return f"{params_file}: {error}" if isinstance(error, ParamsError) else str(error)


class RefusedError(RuntimeError):
    """The input is sound but does not carry the answer asked for. The message says what would."""
