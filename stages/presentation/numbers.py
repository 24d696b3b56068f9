"""Numbers as a reader would write them."""

from collections.abc import Sequence
from typing import Protocol


def flops_text(value: float) -> str:
    """4.1e+15 as 4.1e15."""
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


class Flip(Protocol):
    """A budget with its interval, all in FLOPs; an end that leaves the searched range is None."""

    @property
    def flops(self) -> float: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...


def interval_text(flip: Flip) -> str:
    """`4.1e10 FLOPs [3.0e10, 5.5e10]`, an end that leaves the searched range in words."""
    low = flops_text(flip.low) if flip.low is not None else "below the range"
    high = flops_text(flip.high) if flip.high is not None else "beyond the range"
    return f"{flops_text(flip.flops)} FLOPs [{low}, {high}]"


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them.

    >>> listed(["news"]), listed(["news", "wiki", "code"])
    ('news', 'news, wiki and code')
    """
    *before, last = names
    return f"{', '.join(before)} and {last}" if before else last
