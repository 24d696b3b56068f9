"""What to run next: the compute-optimal run for a budget, and the proxy run that sharpens a decision most per FLOP.

The next run is valued by a linear-Gaussian update over the bootstrap draws: a run at x with noise s lowers the
variance of a quantity q by cov(q, v(x))^2 / (var(v(x)) + s^2), v the predicted log value. Draws are cut at their
1 % and 99 % points first, because one wild draw would otherwise value every run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stages.foundation.errors import InputError
from stages.laws.choosing.averaged import Prediction
from stages.laws.choosing.bootstrap import equal_tailed, residual_noise
from stages.laws.deciding.path import ArmColumns, arm_path, default_range, path_rows
from stages.laws.interface.cost import Cost

FINE = 1.3  # ours: the first grid has steps of 12 %
SIZES = 64  # measured: with the parabola the optimum of chinchilla is within 1 % of the closed form


@dataclass(frozen=True)
class NextRun:
    """A candidate run: its row, its cost in FLOPs and the share of the variance of the decision that it removes."""

    row: Mapping[str, float | str]
    flops: float
    variance_removed: float
    per_flop: float


@dataclass(frozen=True)
class Allocation:
    """Compute-optimal run of one arm at a budget; value (point, low, high), and where the optimum
    lies in the draws (low, high).
    """

    flops: float
    n_params: float
    n_tokens: float
    epochs: float
    value: tuple[float, float, float]
    at_grid_edge: bool
    n_params_interval: tuple[float, float]
    n_tokens_interval: tuple[float, float]


def optimal_allocation(
    boot: Prediction,
    flops: float,
    *,
    arm: str = "all",
    n_tokens_unique: float | None = None,
    columns: Mapping[str, float] | None = None,
    n_params_range: tuple[float, float] | None = None,
    level: float = 0.9,
) -> Allocation:
    """Best N, D and epochs for one budget, with D limited to n_tokens_unique different tokens if that is given.

    >>> from stages.laws import get_law
    >>> from stages.laws.choosing.bootstrap import bootstrap
    >>> from stages.laws.fitting.fit import fit_law
    >>> from stages.laws.interface.table import example_runs
    >>> rows = example_runs()
    >>> fit = fit_law(get_law("chinchilla"), rows, by_arm=("E", "B"))
    >>> boot = bootstrap(fit, rows, clusters="pool_draw", n_draws=40)
    >>> best = optimal_allocation(boot, 1e21, arm="loose")
    >>> bool(np.isclose(6 * best.n_params * best.n_tokens, 1e21))
    True
    """
    own = dict(columns or {})
    if n_tokens_unique is not None:
        own["n_tokens_unique"] = n_tokens_unique
    elif (
        "n_tokens_unique" in boot.fit.law.variable_names
        and "n_tokens_unique" not in own
    ):
        raise InputError(
            f"law '{boot.fit.law.name}' needs the number of different tokens; say"
            " n_tokens_unique="
        )
    budgets, own_arm = np.array([flops]), {arm: own}
    path = arm_path(boot, budgets, own_arm, n_params_range=n_params_range)
    n_params, at_edge = float(path.n_params[arm][0]), path.at_grid_edge[arm]
    if (
        np.isfinite(n_params) and not at_edge
    ):  # a second, fine grid around the first: within 1 %
        path = arm_path(
            boot, budgets, own_arm, n_params_range=(n_params / FINE, n_params * FINE)
        )
        n_params = float(path.n_params[arm][0])
    low, high = equal_tailed(path.draws[arm][:, 0], level)
    n_tokens, unique = float(path.n_tokens[arm][0]), own.get("n_tokens_unique", np.inf)
    smallest, largest = equal_tailed(
        best_sizes(boot, budgets, arm=arm, columns=own, n_params_range=n_params_range)[
            :, 0
        ],
        level,
    )
    return Allocation(
        float(flops),
        n_params=n_params,
        n_tokens=n_tokens,
        epochs=max(n_tokens / unique, min(1.0, n_tokens)),
        value=(float(path.values[arm][0]), float(low), float(high)),
        at_grid_edge=at_edge,
        n_params_interval=(float(smallest), float(largest)),
        n_tokens_interval=(
            float(boot.fit.cost.tokens(flops, largest)),
            float(boot.fit.cost.tokens(flops, smallest)),
        ),
    )


def best_sizes(
    boot: Prediction,
    flops: np.ndarray,
    arm: str,
    columns: Mapping[str, float],
    *,
    n_params_range: tuple[float, float] | None = None,
) -> np.ndarray:
    """The size of least value at each budget in each draw, (draws, budgets): how well the runs place the optimum.

    A law without model size has none: nan. Cost: 64 sizes x budgets x draws values."""
    return _lowest_sizes(
        boot,
        lambda rows, own: boot.predict(rows, own),
        members=boot.n_draws,
        flops=flops,
        arm=arm,
        columns=columns,
        n_params_range=n_params_range,
    )


def best_size(
    boot: Prediction,
    flops: np.ndarray,
    arm: str,
    columns: Mapping[str, float],
    *,
    n_params_range: tuple[float, float] | None = None,
) -> np.ndarray:
    """The size of least value at each budget by the point prediction, (budgets,)."""
    return _lowest_sizes(
        boot,
        lambda rows, own: boot.central(rows, own)[None],
        members=1,
        flops=flops,
        arm=arm,
        columns=columns,
        n_params_range=n_params_range,
    )[0]


def _lowest_sizes(
    boot, predict, members, flops, arm, columns, n_params_range
) -> np.ndarray:
    """Sizes of least value, (members, budgets), over the values that `predict` gives, (members, sizes)."""
    flops = np.asarray(flops, float)
    if "n_params" not in boot.fit.law.variable_names:
        return np.full((members, flops.size), np.nan)
    low, high = n_params_range or default_range(boot.fit, float(flops.max()))
    grid, found = np.geomspace(low, high, SIZES), np.empty((members, flops.size))
    for i, budget in enumerate(flops):
        rows = path_rows(np.full(SIZES, budget), grid, columns, boot.fit.cost)
        found[:, i] = _lowest(
            np.log(grid), np.log(predict(rows, arm if boot.fit.by_arm else None))
        )
    return np.exp(found)


def _lowest(at: np.ndarray, curves: np.ndarray) -> np.ndarray:
    """Place of the least point of each curve (curves, places), by a parabola through the lowest
    grid point and its neighbours.
    """
    i = np.clip(curves.argmin(axis=1), 1, at.size - 2)
    before, here, after = (
        np.take_along_axis(curves, (i + shift)[:, None], 1)[:, 0]
        for shift in (-1, 0, 1)
    )
    bend = before - 2 * here + after
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.where(bend > 0, 0.5 * (before - after) / bend, 0.0)
    return at[i] + (at[1] - at[0]) * np.clip(
        np.where(np.isfinite(shift), shift, 0.0), -1, 1
    )


def difference_at(
    boot: Prediction,
    flops: float,
    first: str,
    second: str,
    arms: ArmColumns,
    **path_options,
) -> np.ndarray:
    """log value(first) - log value(second) at a budget in each draw, (draws,): the quantity behind a decision there."""
    path = arm_path(
        boot,
        np.array([flops]),
        {name: arms[name] for name in (first, second)},
        **path_options,
    )
    return np.log(path.draws[first][:, 0]) - np.log(path.draws[second][:, 0])


def next_runs(
    boot: Prediction,
    quantity: np.ndarray,
    candidates: Sequence[Mapping[str, float | str]],
    *,
    arm_column: str = "arm",
    noise: float | None = None,
) -> list[NextRun]:
    """Candidate runs, the largest expected reduction of the variance of `quantity` per FLOP first.

    quantity: (draws,), such as difference_at(...). candidates: rows with the law's variables and, if the fit has
    arms, the arm; flops, or what n_params and n_tokens_seen cost in the fitted table, is the cost. noise: sd of a
    run's log value, default that of the fit's residuals.

    >>> from stages.laws import get_law
    >>> from stages.laws.choosing.bootstrap import bootstrap
    >>> from stages.laws.fitting.fit import fit_law
    >>> from stages.laws.interface.table import example_runs
    >>> rows = example_runs()
    >>> fit = fit_law(get_law("chinchilla"), rows, by_arm=("E", "B"))
    >>> boot = bootstrap(fit, rows, clusters="pool_draw", n_draws=40)
    >>> lead = difference_at(boot, 1e21, "strict", "loose", {"strict": {}, "loose": {}})
    >>> candidates = [{"n_params": 1e8, "n_tokens_seen": 1e10, "arm": "strict"},
    ...               {"n_params": 1e9, "n_tokens_seen": 1e11, "arm": "strict"}]
    >>> next_runs(boot, lead, candidates)[0].flops
    6e+18
    """
    quantity = np.asarray(quantity, float)
    if quantity.shape != (boot.n_draws,):
        raise InputError(
            f"the quantity must have one value a draw, ({boot.n_draws},), got"
            f" {quantity.shape}"
        )
    if not candidates:
        raise InputError(
            "no candidate run; give rows with arm, n_params and n_tokens_seen"
        )
    noise = float(residual_noise(boot.fit).std()) if noise is None else noise
    centred = _trimmed(quantity)
    runs = []
    for row in candidates:
        rows = {name: np.array([value]) for name, value in row.items()}
        predicted = _trimmed(
            np.log(
                boot.predict(
                    {**rows, arm_column: rows.get(arm_column, np.array(["all"]))}
                )[:, 0]
            )
        )
        removed = (
            np.mean(centred * predicted) ** 2
            / (np.mean(predicted**2) + noise**2 + 1e-300)
            / max(np.mean(centred**2), 1e-300)
        )
        cost = _cost(row, boot.fit.cost)
        runs.append(
            NextRun(
                dict(row),
                flops=cost,
                variance_removed=float(removed),
                per_flop=float(removed) / cost,
            )
        )
    return sorted(runs, key=lambda run: -run.per_flop)


def predictions(
    boot: Prediction, candidates: Sequence[Mapping[str, float | str]]
) -> np.ndarray:
    """Log value of each candidate in each draw, (draws, candidates)."""
    table = {
        name: np.array([row[name] for row in candidates]) for name in candidates[0]
    }
    return np.log(boot.predict(table))


def _trimmed(draws: np.ndarray) -> np.ndarray:
    """Draws (draws,) held inside their 1 % and 99 % points, mean 0."""
    held = np.clip(draws, *np.quantile(draws, [0.01, 0.99]))
    return held - held.mean()


def _cost(row, cost: Cost) -> float:
    if "flops" in row:
        return float(row["flops"])
    if "n_params" in row and "n_tokens_seen" in row:
        return float(cost.flops(float(row["n_params"]), float(row["n_tokens_seen"])))
    raise InputError(
        "a candidate run has no cost: it needs flops, or n_params and n_tokens_seen;"
        f" it has {', '.join(row)}"
    )
