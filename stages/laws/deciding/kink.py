"""Where a curve over log compute changes its slope for good: a line, then another line.

A power law with a floor only flattens in logs. A value that falls faster from some budget on has not
entered its power law below that; one that rises from there on has left it; a lead that begins there
rests on the budgets beyond. What a law says above the runs is then said by those few.
"""

from dataclasses import dataclass

import numpy as np

MIN_BUDGETS = 5  # assumed: fewer points bend by chance
NOISES = (
    3.0  # ours: under 3 % of straight lines with 2 % of noise bend by more (simulated)
)
TWICE = 2.0  # ours: a straight line that leaves twice the squares is none
STEEPER = (
    2.0  # ours: with a slope that does not double a law with a floor is still near
)
LEAST_NOISE = 0.004  # measured: runs of equal data differ by .3 to .5 % of the loss from seed to seed


@dataclass(frozen=True)
class Kink:
    """at: log compute of the bend; before, after: slopes of log value; level: log value at the bend; after_error:
    standard error of `after`; n_beyond of n budgets lie above it.
    """

    at: float
    before: float
    after: float
    after_error: float
    level: float
    n_beyond: int
    n: int

    @property
    def flops(self) -> float:
        return float(np.exp(self.at))

    def falls_late(self) -> bool:
        """Whether the value falls at least twice as fast beyond as before."""
        return self.after < STEEPER * min(self.before, 0.0)

    def rises_late(self) -> bool:
        """Whether a value that fell rises beyond, by more than noise."""
        return self.before < 0 and self.after > NOISES * self.after_error


def budget_means(
    flops: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Log compute and mean log value of each budget, in order, (budgets,) each."""
    budgets, group = np.unique(flops, return_inverse=True)
    return np.log(budgets), np.bincount(group, np.log(values)) / np.bincount(group)


def kink(x: np.ndarray, y: np.ndarray) -> Kink | None:
    """The bend of y over growing x, (points,) each; None where one straight line tells it as well.

    Two lines must leave less than half of the squares of one, and the change of slope be three standard errors.
    """
    if x.size < MIN_BUDGETS:
        return None
    straight = _squares(_lines(x), y)[1]
    tried = [(*_squares(_lines(x, at), y), at) for at in x[1:-1]]
    fitted, squares, at = min(tried, key=lambda each: each[1])
    if straight < TWICE * squares:
        return None
    noise = max(np.sqrt(squares / max(x.size - 4, 1)), LEAST_NOISE)
    lines = _lines(x, at)
    errors = noise**2 * np.linalg.inv(lines.T @ lines)
    level, before, change = fitted
    if abs(change) < NOISES * np.sqrt(errors[2, 2]):
        return None
    return Kink(
        at=float(at),
        before=float(before),
        after=float(before + change),
        after_error=float(np.sqrt(errors[1:, 1:].sum())),
        level=float(level),
        n_beyond=int((x > at).sum()),
        n=x.size,
    )


def _lines(x: np.ndarray, at: float | None = None) -> np.ndarray:
    """Columns of a straight line, or of one that bends at a point, (points, 2 or 3)."""
    if at is None:
        return np.stack([np.ones(x.size), x - x.mean()], axis=1)
    return np.stack([np.ones(x.size), x - at, np.maximum(0.0, x - at)], axis=1)


def _squares(lines: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """Coefficients and the squares that they leave."""
    fitted = np.linalg.lstsq(lines, y, rcond=None)[0]
    return fitted, float(np.sum((lines @ fitted - y) ** 2))
