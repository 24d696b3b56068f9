"""An arm's value along compute: FLOPs -> (N, D) -> value, for the point estimate and for every draw.

D is what the budget pays for by the cost of the fitted table (cost.py), C / 6 N without one of its own, less what goes
into generating an arm's text (generation.py).
N is either given or, at each budget and for each arm, the one that the point estimate says is best among a log
grid. The draws are evaluated at that plan rather than at a best N of their own: this is what a team would run,
and near an optimum the difference is of second order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from stages.foundation.errors import InputError
from stages.laws.choosing.averaged import Prediction
from stages.laws.deciding.generation import (
    parts_of,
    trained_tokens,
    without_generation,
)
from stages.laws.fitting.fit import Fit
from stages.laws.interface.cost import SIX, Cost

GRID = 128  # sizes tried; over 6 decades neighbours differ by 12 %, a loss of under 1e-4 relative at the optimum
LEAST_VALUE = 1e-300
ArmColumns = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Path:
    """Arms along budgets. flops (budgets,); n_params, n_tokens, values: arm -> (budgets,); draws:
    arm -> (draws, budgets).
    """

    flops: np.ndarray
    n_params: dict[str, np.ndarray]
    n_tokens: dict[str, np.ndarray]
    values: dict[str, np.ndarray]
    draws: dict[str, np.ndarray] = field(repr=False)
    at_grid_edge: dict[str, bool] = field(default_factory=dict)


def arm_path(
    boot: Prediction,
    flops: Sequence[float] | np.ndarray,
    arms: ArmColumns,
    *,
    n_params: float | None = None,
    n_params_range: tuple[float, float] | None = None,
) -> Path:
    """Values of all arms at all budgets.

    arms: arm -> its fixed columns, such as {'n_tokens_unique': 1e9} or the shares of a mixture.
    n_params: one size for all, or None for the best size of each arm at each budget within n_params_range
    (default: a tenth of the smallest measured size to the largest times the extrapolation, at least ten).
    """
    if not arms:
        raise InputError("no arm to compare; give at least one arm with its columns")
    budgets = np.atleast_1d(np.asarray(flops, float))
    if not (np.isfinite(budgets).all() and (budgets > 0).all()):
        raise InputError(
            "budgets must be positive FLOPs, got"
            f" {budgets.min():g} to {budgets.max():g}"
        )
    sizes, tokens, values, draws, edges = {}, {}, {}, {}, {}
    cost = path_cost(boot.fit.cost, n_params)
    for arm, columns in arms.items():
        sizes[arm], edges[arm] = _sizes(
            boot,
            budgets,
            arm=arm,
            columns=columns,
            n_params=n_params,
            n_params_range=n_params_range,
            cost=cost,
        )
        rows = path_rows(budgets, sizes[arm], columns, cost)
        tokens[arm] = rows["n_tokens_seen"]
        rows = _known(rows)
        own = arm if boot.fit.by_arm else None
        # a law without a floor may fall below 0; its draws stop there too (bootstrap.py)
        values[arm] = np.maximum(boot.central(rows, own), LEAST_VALUE)
        draws[arm] = boot.predict(rows, own)
    return Path(
        budgets,
        n_params=sizes,
        n_tokens=tokens,
        values=values,
        draws=draws,
        at_grid_edge=edges,
    )


def path_cost(cost: Cost, n_params: float | None = None) -> Cost:
    """How a budget becomes tokens: as in the fitted table; 6ND where only the caller knows a size."""
    return SIX if cost.unit == "tokens" and n_params is not None else cost


def path_rows(flops, n_params, columns, cost: Cost = SIX) -> dict[str, np.ndarray]:
    """Columns of the runs table along a path. Shapes follow flops, which hold what generating costs; as a column they
    are those of training.
    """
    n_tokens = cost.tokens(flops, n_params)
    if parts_of(columns)[0].size:
        per_token = cost.flops(n_params, 1.0)
        n_tokens = trained_tokens(columns, flops, per_token)
        flops = per_token * n_tokens
    return {
        "flops": flops,
        "n_params": n_params,
        "n_tokens_seen": n_tokens,
        **{
            name: np.full(np.shape(flops), float(value))
            for name, value in without_generation(columns).items()
        },
    }


def _known(rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The columns without those that a law of compute alone leaves open: size and tokens, nan everywhere."""
    return {name: value for name, value in rows.items() if not np.isnan(value).all()}


def _sizes(boot, flops, arm, columns, n_params, n_params_range, cost):
    """Model size at each budget, (budgets,), and whether a best size lies at the edge of the grid."""
    if n_params is not None:
        return np.full(flops.shape, float(n_params)), False
    fit = boot.fit
    if "n_params" not in fit.law.variable_names:
        if "n_tokens_seen" in fit.law.variable_names and cost.unit == "FLOPs":
            raise InputError(
                f"law '{fit.law.name}' does not know model size, so a budget gives no"
                " token count; say n_params="
            )
        return np.full(flops.shape, np.nan), False
    low, high = n_params_range or default_range(fit, float(flops.max()))
    grid = np.geomspace(low, high, GRID)
    all_flops, all_sizes = (
        part.ravel() for part in np.meshgrid(flops, grid, indexing="ij")
    )
    values = boot.central(
        path_rows(all_flops, all_sizes, columns, cost), arm if fit.by_arm else None
    ).reshape(flops.size, GRID)
    best = values.argmin(axis=1)
    return grid[best], bool(((best == 0) | (best == GRID - 1)).any())


def default_range(fit: Fit, flops: float) -> tuple[float, float]:
    """Sizes to search: a tenth of the smallest measured one, to the largest times the extrapolation (at least ten)."""
    sizes = fit.problem.columns["n_params"]
    return float(sizes.min()) / 10, float(sizes.max()) * max(
        10.0, flops / measured_flops(fit)
    )


def measured_flops(fit: Fit) -> float:
    """Largest budget among the fitted runs; nan if the law's columns do not tell it."""
    budgets = fitted_budgets(fit)
    return float("nan") if budgets is None else float(budgets.max())


def fitted_budgets(fit: Fit) -> np.ndarray | None:
    """Budget of each fitted run (runs,), in the unit of the fit's cost; None if the law's columns do
    not tell it.
    """
    columns = fit.problem.columns
    if "flops" in columns:
        return columns["flops"]
    if "n_params" in columns and "n_tokens_seen" in columns:
        return fit.cost.flops(columns["n_params"], columns["n_tokens_seen"])
    return None


def extrapolation_decades(fit: Fit, path: Path) -> np.ndarray:
    """Decades of compute between each budget and the largest measured run, (budgets,), negative
    inside the measured range.

    A law that does not know model size counts decades of tokens instead.
    """
    measured = measured_flops(fit)
    if np.isfinite(measured):
        return np.log10(path.flops / measured)
    return np.log10(
        np.max([*path.n_tokens.values()], axis=0)
        / fit.problem.columns["n_tokens_seen"].max()
    )
