"""Numbers as a reader would write them."""

from collections.abc import Sequence
from math import isclose
from typing import Protocol

MOST_DECIMALS = 6


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


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them.

    >>> listed(["news"]), listed(["news", "wiki", "code"])
    ('news', 'news, wiki and code')
    """
    *before, last = names
    return f"{', '.join(before)} and {last}" if before else last
