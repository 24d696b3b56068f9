"""Compute-optimal sizes read off a table of runs: what `assay isoflop` computes.

Input: a table with n_params, value and either flops or n_tokens_seen, several sizes at each budget. Output: the best
size of each budget, the line through them, and that line at other budgets, as plain JSON values. No law of the loss is
assumed; `assay plan` answers the same from a fitted one, with intervals. Cost: milliseconds.
"""

from typing import Any

import numpy as np
import polars as pl

from stages.laws.interface.cost import SIX, Cost, units_notes
from stages.laws.interface.table import run_flops
from stages.laws.theory.isoflop import isoflop
from stages.run_columns.positive import positive_numbers

SAME_BUDGET = (
    0.01  # assumed: runs less than 1 % of compute apart were meant to be one budget
)


def isoflop_table(
    table: pl.DataFrame, name: str, at: list[float] | None = None
) -> dict[str, Any]:
    """`exponent` and `scale` of n_params = scale flops^exponent, `budgets` that it was read off, `at` other budgets.

    Tokens are what a budget pays for by the table's own FLOPs, flops / (6 n_params) where it has none
    or no tokens. Raises RefusedError where under two budgets have their least value inside the sizes.
    """
    budgets = [c for c in ("flops", "n_tokens_seen") if c in table.columns]
    wanted = ["n_params", "value", *(budgets or ["n_tokens_seen"])]
    columns = positive_numbers(table, wanted, name)
    cost = Cost.of(columns)
    flops = budgets_of(run_flops(columns))
    found = isoflop(flops, columns["n_params"], columns["value"])
    return {
        "exponent": found.exponent,
        "scale": float(np.exp(found.log_scale)),
        "n_left_out": found.n_left_out,
        "budgets": [
            point(flops_each, n_params, cost) | {"value": float(value)}
            for flops_each, n_params, value in zip(
                found.flops, found.n_params, found.values, strict=True
            )
        ],
        "at": [
            point(budget, float(found.best_size(budget)), cost) for budget in at or []
        ],
        "warnings": cost.notes() + units_notes(columns),
    }


def budgets_of(flops: np.ndarray) -> np.ndarray:
    """The budget of each run (runs,): the geometric mean of the runs that lie within SAME_BUDGET of a neighbour.

    >>> budgets_of(np.array([1e18, 1.004e18, 1e19])).round(-15).tolist()
    [1.002e+18, 1.002e+18, 1e+19]
    """
    order = np.argsort(flops, kind="stable")
    steps = np.diff(np.log(flops[order])) > np.log1p(SAME_BUDGET)
    group = np.empty(flops.size, int)
    group[order] = np.concatenate([[0], np.cumsum(steps)])
    means = np.bincount(group, np.log(flops)) / np.bincount(group)
    return np.exp(means)[group]


def point(flops: float, n_params: float, cost: Cost = SIX) -> dict[str, float]:
    """A budget and the best size there, with the tokens that are left for it."""
    return {
        "flops": float(flops),
        "n_params": float(n_params),
        "n_tokens": float(cost.tokens(flops, n_params)),
    }
