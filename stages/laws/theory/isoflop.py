"""Compute-optimal sizes read off iso-FLOP curves: the least loss of each budget, then how it moves
with the budget.

    n_params_best(C) = k C^a

No law of the loss is assumed: the curve of each budget is interpolated (Akima, in log size and log
loss) and its lowest point taken. A parabola through the same points moves the exponent by up to .03
(measured), so the way is part of the answer. A budget whose lowest run is its smallest or largest
one is left out and counted.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from stages.foundation.errors import RefusedError

# points between neighbouring runs; cited: Porian et al. 2024, arXiv 2406.19146
GRID = 25


@dataclass(frozen=True)
class IsoFlop:
    """Budgets used (budgets,), their best sizes and losses, exponent a and log k of the line, budgets left out."""

    flops: np.ndarray
    n_params: np.ndarray
    values: np.ndarray
    exponent: float
    log_scale: float
    n_left_out: int

    def best_size(self, flops) -> np.ndarray:
        """n_params on the line at a budget."""
        return np.exp(self.log_scale + self.exponent * np.log(flops))


def lowest_point(n_params, values) -> tuple[float, float] | None:
    """(size, value) of the least value of one interpolated curve; None if it lies at an end or
    there are under 4 runs.
    """
    from scipy.interpolate import (
        Akima1DInterpolator,
    )  # here, because it doubles the time to import this package

    order = np.argsort(n_params)
    size, value = (
        np.log(np.asarray(n_params, float)[order]),
        np.log(np.asarray(values, float)[order]),
    )
    size, first = np.unique(size, return_index=True)
    if size.size < 4:
        return None
    grid = np.concatenate(
        [np.linspace(a, b, GRID, endpoint=False) for a, b in itertools.pairwise(size)]
    )
    curve = Akima1DInterpolator(size, value[first])(grid)
    at = int(np.argmin(curve))
    return (
        None
        if at in (0, grid.size - 1) or grid[at] <= size[0]
        else (float(np.exp(grid[at])), float(np.exp(curve[at])))
    )


def isoflop(flops, n_params, values) -> IsoFlop:
    """Best size of each budget and the line through them, ordinary least squares in logs.

    flops, n_params, values: (runs,); runs with equal flops are one budget.

    >>> flops, n_params = np.repeat([1e18, 1e20], 5), np.tile([1e7, 1e8, 1e9, 1e10, 1e11], 2)
    >>> values = 2 + np.log(n_params / np.sqrt(flops / 100)) ** 2 / 100
    >>> found = isoflop(flops, n_params, values)
    >>> round(found.exponent, 2), f"{found.best_size(1e20):.1e}"
    (0.5, '1.0e+09')
    """
    flops, n_params, values = (np.asarray(x, float) for x in (flops, n_params, values))
    budgets = np.unique(flops)
    found = {c: lowest_point(n_params[flops == c], values[flops == c]) for c in budgets}
    kept = np.array([c for c in budgets if found[c]])
    if kept.size < 2:
        raise RefusedError(
            f"only {kept.size} of {budgets.size} budgets have a lowest point inside"
            " their sizes; add smaller and larger models"
        )
    best = np.array([found[c] for c in kept])
    exponent, log_scale = np.polyfit(np.log(kept), np.log(best[:, 0]), 1)
    return IsoFlop(
        kept,
        n_params=best[:, 0],
        values=best[:, 1],
        exponent=float(exponent),
        log_scale=float(log_scale),
        n_left_out=int(budgets.size - kept.size),
    )
