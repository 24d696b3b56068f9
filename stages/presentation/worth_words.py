"""What the best arm is worth, as a sentence."""

from collections.abc import Mapping
from typing import Protocol

from stages.presentation.numbers import flops_text

MOST_TIMES = 10_000


class Until(Protocol):
    """The budget above which the arm is worth nothing, with its interval."""

    @property
    def flops(self) -> float: ...


class Worth(Protocol):
    """An arm against the baseline at one budget; see stages/laws/deciding/worth.py."""

    @property
    def flops(self) -> float: ...
    @property
    def best(self) -> str: ...
    @property
    def baseline(self) -> str: ...
    @property
    def times(self) -> float | None: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...
    @property
    def tokens_times(self) -> float | None: ...
    @property
    def tokens_low(self) -> float | None: ...
    @property
    def tokens_high(self) -> float | None: ...
    @property
    def never(self) -> bool: ...
    @property
    def until(self) -> Until | None: ...


def times_text(ratio: float) -> str:
    """A ratio with as many digits as it carries.

    >>> times_text(1.034), times_text(1.83), times_text(41.6), times_text(2345.0)
    ('1.03', '1.8', '42', '2,345')
    """
    if ratio < 1.2:
        return f"{ratio:.2f}"
    return f"{ratio:.1f}" if ratio < 9.95 else f"{ratio:,.0f}"


def interval_of(
    times: float | None, low: float | None, high: float | None, never: bool = False
) -> str:
    """`1.8 [1.5, 2.2]`; a ratio that is not reached in words.

    >>> interval_of(1.83, 1.5, None)
    '1.8 [1.5, above 10,000]'
    """
    beyond = "never reached" if never else f"above {MOST_TIMES:,}"
    said = beyond if times is None else times_text(times)
    return f"{said} {ratio_text(low, high)}"


def ratio_text(low: float | None, high: float | None) -> str:
    """`[1.5, 2.2]`; an end outside of 0.01 to 10,000 in words."""
    start = "below 0.01" if low is None else times_text(low)
    return f"[{start}, {f'above {MOST_TIMES:,}' if high is None else times_text(high)}]"


def worth_text(
    worth: Worth,
    labels: Mapping[str, str] | None = None,
    unit: str = "FLOPs",
    where: str = "",
) -> str:
    """The worth in one sentence without its full stop.

    labels: arm -> words; unit: of budgets, FLOPs or tokens; where: the budget in words, default its number.
    """
    best, baseline = (
        (labels or {}).get(arm, arm) for arm in (worth.best, worth.baseline)
    )
    counted = "compute" if unit == "FLOPs" else unit
    at = where or f"{flops_text(worth.flops)} {unit}"
    if worth.times is not None:
        said = (
            f"{best} is worth {times_text(worth.times)} times the {counted}"
            f" {ratio_text(worth.low, worth.high)} of {baseline} at {at}"
        )
    elif worth.low is None or worth.low < 1:
        how = ", where it never gets by this law," if worth.never else ""
        said = (
            f"what {best} is worth in {counted} of {baseline} at {at}{how} is open:"
            f" {ratio_text(worth.low, worth.high)} times"
        )
    else:
        how = " (which never gets there by this law)" if worth.never else ""
        said = (
            f"{best} is worth more than {times_text(worth.low)} times the {counted} of"
            f" {baseline} at {at}{how}"
        )
    if worth.until is not None:
        said += f", and nothing above {flops_text(worth.until.flops)}"
    return said + _tokens(worth)


def _tokens(worth: Worth) -> str:
    """The same in tokens, where it is another number."""
    times = worth.tokens_times
    if times is None or worth.times is None:
        return ""
    if (times, worth.tokens_low) == (worth.times, worth.low):
        return ""
    interval = ratio_text(worth.tokens_low, worth.tokens_high)
    return f"; {times_text(times)} times the tokens {interval} at one size"
