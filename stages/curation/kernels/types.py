"""C types of the arguments of compiled loops, and the parts that loops call."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """The type of an argument: a number, or the first element of a C-contiguous array."""

    dtype: str
    array: bool = True


UINT8S, UINT32S, UINT64S, INT64S, INT64 = (
    Kind("uint8"),
    Kind("uint32"),
    Kind("uint64"),
    Kind("int64"),
    Kind("int64", array=False),
)


class Part:
    """A function that compiled loops call; its types follow from theirs."""

    def __init__(self, python: Callable) -> None:
        self.python = python
