"""What a person reads of a fault or a reason: one line, no secret in it, numbers on their side of a bound."""

import os
import re
import tempfile
import traceback
from math import isclose

MOST_CHARS = 300
MOST_DECIMALS = 6
JOINERS = "\u200c\u200d"  # of letters and emoji: they are part of words
# user:password@ of an address; a port and a path with an @ behind it are none
_NAMED = re.compile(r"(:/{1,2})[^\s/:@'\"]*:(?!\d+(?:[/?#]|$))[^\s'\"]*@")
_TOKEN = re.compile(r"(:/{1,2})[^\s/:@'\"]+@(?=[^\s/@'\"])")
_SETTING = re.compile(
    r"(?i)([?&;][\w-]*(?:password|passwd|pwd|secret|token|signature|credential|access_?key"
    r"|api_?key|sig)[\w-]*=)[^&\s;'\"]+"
)


def redacted(text: str) -> str:
    """Addresses without the user, password and keys that stand in them.

    >>> redacted("postgresql://me:pa@ss@host:5432/runs?sslpassword=x is down")
    'postgresql://***@host:5432/runs?sslpassword=*** is down'
    """
    if ":/" in text:
        text = _TOKEN.sub(r"\1***@", _NAMED.sub(r"\1***@", text))
    return _SETTING.sub(r"\1***", text) if "=" in text else text


def printable(text: str) -> str:
    """Halves of surrogate pairs, which no file takes, as their escapes.

    >>> printable("caf" + chr(0xDCE9))
    'caf\\\\udce9'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def shortened(text: str, most: int = MOST_CHARS) -> str:
    """Text of at most `most` characters, cut in its middle: how it begins and what to do stay.

    >>> shortened("params.yaml:3: seed: " + "9" * 50 + " is no number", 40)
    'params.yaml:3: seed: ... 99 is no number'
    """
    if len(text) <= most:
        return text
    tail = (most - 5) * 4 // 9
    return f"{text[: most - 5 - tail]} ... {text[-tail:]}"


def one_line(text: str, most: int = MOST_CHARS) -> str:
    """One line without secrets of at most `most` characters, which a terminal shows and does not obey.

    >>> one_line("red: \x1b[31m")
    'red: \\\\x1b[31m'
    """
    line = " ".join(printable(text).split())
    return shortened(redacted("".join(map(_shown, line))), most)


def _shown(char: str) -> str:
    """The character, or its number where it moves what stands around it."""
    if char.isprintable() or char in JOINERS:
        return char
    return char.encode("unicode_escape").decode()


def unexpected(error: BaseException) -> str:
    """The line for a fault that nobody foresaw; its traceback goes to a file that the line names."""
    if isinstance(error, MemoryError):
        return (
            "not enough memory; give the machine more, or fewer workers and smaller"
            " shards, and run again: finished work is kept"
        )
    handle, path = tempfile.mkstemp(prefix="assay-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(redacted("".join(traceback.format_exception(error))))
    said = one_line(f"{type(error).__name__}: {error}", MOST_CHARS - 100 - len(path))
    return f"{said}; this is not foreseen, please report it with {path}"


def told_apart(value: float, *others: float, digits: int = 0) -> str:
    """A number with the fewest decimals, `digits` or more, at which none of `others` that differs reads the same.

    >>> told_apart(1.001, 1, digits=1), told_apart(1.5, 1, digits=1), told_apart(2, 2)
    ('1.001', '1.5', '2')
    """
    differing = [x for x in others if not isclose(x, value, abs_tol=1e-9)]
    for decimals in range(digits, MOST_DECIMALS):
        said = f"{value:.{decimals}f}"
        if all(float(said) != round(other, decimals) for other in differing):
            return said
    return f"{value:.{MOST_DECIMALS}f}"


def share_text(share: float, *bounds: float) -> str:
    """A share of draws in per cent: neither all nor none nor a bound that it is held against, unless it is that.

    >>> share_text(0.995), share_text(1), share_text(0.948, 0.95), share_text(0.5)
    ('99.5%', '100%', '94.8%', '50%')
    """
    ends = (0.0, 100.0, *(100 * bound for bound in bounds))
    return f"{told_apart(100 * share, *ends)}%"
