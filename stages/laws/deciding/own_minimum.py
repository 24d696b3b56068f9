"""The best size that a table of runs itself shows at a budget, beside the one that a law names.

The law is asked for the curve of the budget, and bent to the runs near it: at each size by how far the
run lies from the law, between sizes by interpolation. So a law that fits leaves its optimum where it
is, and one that misfits is put right where there are runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from stages.laws.choosing.averaged import Prediction
from stages.laws.deciding.path import fitted_budgets, path_rows
from stages.laws.deciding.plan import Allocation
from stages.laws.interface.cost import Cost
from stages.laws.interface.table import note

NEAR = float(np.log(2.0))  # assumed: over a factor of 2 the law's slope carries a run
MIN_SIZES = 4  # as for iso-FLOP curves: fewer show no lowest point
N_DRAWS = 200  # ours: ends to a few percent
GRID = 25  # points between neighbouring sizes, as for iso-FLOP curves
SAME = 0.01  # assumed: runs within 1 % of compute are of one budget
SLACK = 1.05  # ours: a minimum within 5 % of the interval's end is at it


@dataclass(frozen=True)
class OwnMinimum:
    """n_params: of the least value over the sizes of the runs, low to high by the noise of the runs (90 %); side: -1
    or 1 where it is the smallest or the largest of these sizes, which it may lie beyond, else 0.
    """

    n_params: float
    low: float
    high: float
    side: int

    def outside(self, low: float, high: float, *, by_noise: bool = False) -> bool:
        """Whether it lies outside of an interval of sizes; by_noise: by more than the noise of the runs."""
        least, most = (self.low, self.high) if by_noise else (self.n_params,) * 2
        below = most * SLACK < low and self.side <= 0
        return below or (least > high * SLACK and self.side >= 0)

    def place(self) -> str:
        """The size in words, with the side on which it may lie further out."""
        said = f"{self.n_params:.3g} parameters"
        return {-1: f"{said} or fewer", 0: said, 1: f"{said} or more"}[self.side]


def own_minimum(
    boot: Prediction, flops: float, arm: str, columns: Mapping[str, float]
) -> OwnMinimum | None:
    """The best size at a budget by the runs of an arm within a factor of 2 of it; None where these have under 4 sizes.

    columns: what else the law reads at the budget, such as n_tokens_unique.
    """
    sizes, off = _residuals(boot, flops, arm)
    if sizes.size < MIN_SIZES:
        return None
    n_points = GRID * (sizes.size - 1) + 1
    log_size = np.interp(
        np.linspace(0, sizes.size - 1, n_points), np.arange(sizes.size), np.log(sizes)
    )
    at = np.exp(log_size)
    rows = path_rows(np.full(at.size, flops), at, columns, boot.fit.cost)
    law = np.log(boot.central(rows, arm if boot.fit.by_arm else None))
    best = int(np.argmin(law + _interpolated(sizes, off, log_size)))
    noise, freedom = _noise(np.log(sizes), off)
    rng = np.random.default_rng(0)
    drawn = off + noise * rng.standard_t(freedom, (N_DRAWS, sizes.size))
    lowest = at[np.argmin(law + _interpolated(sizes, drawn.T, log_size).T, axis=1)]
    low, high = np.quantile(lowest, [0.05, 0.95])
    side = -1 if best == 0 else int(best == at.size - 1)
    return OwnMinimum(float(at[best]), low=float(low), high=float(high), side=side)


def contradiction(own: OwnMinimum, plan: Allocation) -> dict[str, str] | None:
    """A coded note where the runs near a budget are lowest outside of the plan's interval; None inside it."""
    low, high = plan.n_params_interval
    if not own.outside(low, high):
        return None
    said = (
        f"the runs near this budget are lowest at {own.place()}, the law at"
        f" {plan.n_params:.3g} [{low:.3g}, {high:.3g}]; the interval is widened to both"
    )
    noise = f"noise of the runs alone may put theirs at {own.low:.3g} to {own.high:.3g}"
    if not own.outside(low, high, by_noise=True):
        return note("minimum_of_runs", "info", f"{said} ({noise})")
    cure = "the law misfits there: trust the runs (`assay isoflop`), or fit another law"
    return note("runs_contradict", "warning", f"{said} ({noise}); {cure}")


def widened(plan: Allocation, own: OwnMinimum, cost: Cost) -> Allocation:
    """The plan with intervals of size and tokens that reach the minimum of the runs."""
    low, high = plan.n_params_interval
    low, high = min(low, own.n_params), max(high, own.n_params)
    tokens = [float(cost.tokens(plan.flops, size)) for size in (high, low)]
    return replace(
        plan, n_params_interval=(low, high), n_tokens_interval=(tokens[0], tokens[1])
    )


def _noise(log_size: np.ndarray, off: np.ndarray) -> tuple[float, int]:
    """Standard deviation of a residual around a smooth curve over log size, which a misfit is, and its degrees of
    freedom.
    """
    degree = min(3, log_size.size - 2)
    smooth = np.polynomial.Polynomial.fit(log_size, off, degree)
    freedom = log_size.size - degree - 1
    return float(np.sqrt(np.sum((off - smooth(log_size)) ** 2) / freedom)), freedom


def _residuals(boot: Prediction, flops: float, arm: str):
    """Sizes with runs near the budget, growing, and the mean log error of the law at the nearest of each, (sizes,)."""
    fit, budgets = boot.fit, fitted_budgets(boot.fit)
    columns = fit.problem.columns
    if budgets is None or "n_params" not in columns:
        return np.zeros(0), np.zeros(0)
    own = np.abs(np.log(budgets / flops)) <= NEAR
    if fit.by_arm:
        own &= fit.problem.arm_index == fit.arms.index(arm)
    if not own.any():
        return np.zeros(0), np.zeros(0)
    rows = {name: column[own] for name, column in {"flops": budgets, **columns}.items()}
    said = np.log(boot.central(rows, arm if fit.by_arm else None))
    off_run = np.log(fit.problem.observed[own]) - said
    far = np.abs(np.log(rows["flops"] / flops))
    sizes, group = np.unique(rows["n_params"], return_inverse=True)
    off = np.empty(sizes.size)
    for i in range(sizes.size):
        nearest = (group == i) & (far <= far[group == i].min() + SAME)
        off[i] = off_run[nearest].mean()
    return sizes, off


def _interpolated(sizes, off: np.ndarray, log_size: np.ndarray) -> np.ndarray:
    """The residuals between the sizes; off (sizes, ...), the result (points, ...)."""
    from scipy.interpolate import Akima1DInterpolator  # here: it is slow to import

    return Akima1DInterpolator(np.log(sizes), off)(log_size)
