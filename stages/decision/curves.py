"""The curves of the page: value of every arm along compute, and its difference from one arm, with intervals."""

import numpy as np
import polars as pl

from stages.laws.choosing.averaged import Prediction
from stages.laws.deciding.path import ArmColumns, arm_path

POINTS_PER_DECADE = 24


def budgets(low: float, high: float) -> np.ndarray:
    """Budgets from low to high in FLOPs, evenly in their logarithm, (budgets,)."""
    n = int(POINTS_PER_DECADE * np.log10(high / low)) + 2
    return np.geomspace(low, high, n)


def curves(
    boot: Prediction,
    columns: ArmColumns,
    low: float,
    high: float,
    *,
    n_params: int,
    base: str,
    level: float,
) -> pl.DataFrame:
    """Value of every arm, and its difference from the base arm paired by draw: kind, arm, flops, value, low, high.

    kind: loss or difference (arm less base, so below zero is better); level: coverage of low to high.
    """
    flops = budgets(low, high)
    path = arm_path(boot, flops, columns, n_params=n_params)
    frames = [
        _curve(
            "loss",
            arm,
            flops=flops,
            values=path.values[arm],
            draws=path.draws[arm],
            level=level,
        )
        for arm in columns
    ]
    frames += [
        _curve(
            "difference",
            arm,
            flops=flops,
            values=path.values[arm] - path.values[base],
            draws=path.draws[arm] - path.draws[base],
            level=level,
        )
        for arm in columns
    ]
    return pl.concat(frames)


def _curve(
    kind: str,
    arm: str,
    flops: np.ndarray,
    values: np.ndarray,
    draws: np.ndarray,
    level: float,
) -> pl.DataFrame:
    """One curve with its band. values (budgets,), draws (draws, budgets)."""
    tail = round((1 - level) / 2, 12)  # .05 of .9, and not .04999999999999999
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    return pl.DataFrame(
        {
            "kind": kind,
            "arm": arm,
            "flops": flops,
            "value": values,
            "low": low,
            "high": high,
        }
    )
