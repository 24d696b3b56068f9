"""The mixture of least value over the simplex, of a mean of surfaces and of each of their draws.

A pool of mixtures is asked first, then the best of it walks down (SLSQP) within bounds, planes of the trusted
region and what a domain may lose. Draws start at the best of the pool or at the optimum of the mean, whichever
is lower for them. Cost: 2 to 10 ms a draw and metric.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from stages.laws.mixing.averaged_mix import Metric
from stages.laws.mixing.groups import project, whole, within
from stages.laws.mixing.trust import Trust

POOL = 2000  # ours
STARTS = 4  # ours: of the mean; each far from the others
APART = 0.15
MOST_CUTS, DRAW_CUTS = 6, 4
OUTER = 2.0  # assumed
STEEP = 800.0  # ours: a plane is passed by about .002 of the mixture
SLIDES = 120
FIRST_STEP = 0.05  # of a share
SMALLEST = 5e-4  # of a share, at which a draw has arrived
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Veto:
    """A metric, by its position, may not be above a reference mixture (domains,) by more than a margin."""

    metric: int
    reference: np.ndarray
    margin: float


@dataclass(frozen=True)
class Goal:
    """What is minimised: the weighted sum of metrics plus a cost of the mixture.

    weights: (metrics,); cost: shares (points, domains) -> (points,) and slopes, or None.
    """

    metrics: Sequence[Metric]
    weights: np.ndarray
    cost: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]] | None = None

    def at(
        self, shares: np.ndarray, draws: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """(points,) and slopes (points, domains), of the mean or at each point of its own draw."""
        total, slope = np.zeros(len(shares)), np.zeros(shares.shape)
        if self.cost is not None:
            total, slope = self.cost(shares)
        for weight, metric in zip(self.weights, self.metrics, strict=True):
            if weight > 0:
                value, by_share = metric.value_and_slope(shares, draws)
                total, slope = total + weight * value, slope + weight * by_share
        return total, slope

    def values(self, shares: np.ndarray) -> np.ndarray:
        """(points,)"""
        total = self._costs(shares)
        for weight, metric in zip(self.weights, self.metrics, strict=True):
            if weight > 0:
                total = total + weight * metric.value(shares)
        return total

    def drawn(self, shares: np.ndarray) -> np.ndarray:
        """(draws, points)"""
        total = self._costs(shares)
        for weight, metric in zip(self.weights, self.metrics, strict=True):
            if weight > 0:
                total = total + weight * metric.drawn(shares)
        return total

    def _costs(self, shares: np.ndarray) -> np.ndarray:
        if self.cost is None:
            return np.zeros(len(shares))
        return self.cost(shares)[0]


def search(
    goal: Goal,
    region: Trust,
    vetoes: Sequence[Veto] = (),
    *,
    seed: int = 0,
    n_draws: int,
    progress: Progress = lambda done, total: None,
) -> tuple[np.ndarray, np.ndarray]:
    """The best mixture of the mean (domains,), within reach of the runs, and of each draw (draws, domains), OUTER
    times as far: what is not proposed for lack of runs may still be the best.
    """
    pool, outer = _pool(region, np.random.default_rng(seed)), region.wider(OUTER)
    far = np.vstack([pool, _corners(outer)])
    pool = np.vstack([pool, _corners(region)])
    values = goal.values(pool)
    for veto in vetoes:
        metric = goal.metrics[veto.metric]
        most = metric.value(veto.reference[None]) + veto.margin
        values = values + 1e3 * np.maximum(metric.value(pool) - most, 0.0)
    unit = float(values.std()) + 1e-12
    ends = [
        _walk(goal, region, vetoes, start=start, draw=None, unit=unit)
        for start in _apart(pool, values)
    ]
    best = min(ends, key=lambda end: end[0])[1]
    asked = np.vstack([far, best])
    starts = asked[goal.drawn(asked).argmin(axis=1)]
    fence = Fence(goal, outer, vetoes, unit)
    return best, _best_of_draws(fence, starts, progress)


def _best_of_draws(
    fence: "Fence", starts: np.ndarray, progress: Progress
) -> np.ndarray:
    """Each draw at the foot of its slope, those outside of the region once more behind planes."""
    n_draws = len(starts)
    draws = np.arange(n_draws)
    found = slide(fence, starts, draws)
    for turn in range(DRAW_CUTS):
        outside = np.array([fence.region.cut(found[draw]) for draw in draws], bool)
        progress(n_draws - int(outside.sum()), n_draws)
        draws = draws[outside]
        if not draws.size:
            break
        inner = np.stack([fence.region.inside(found[draw]) for draw in draws])
        last = turn == DRAW_CUTS - 1
        found[draws] = inner if last else slide(fence, inner, draws)
    progress(n_draws, n_draws)
    return found


@dataclass(frozen=True)
class Fence:
    """A goal that rises steeply beyond planes and vetoes. unit: spread of the goal over mixtures."""

    goal: Goal
    region: Trust
    vetoes: Sequence[Veto]
    unit: float

    def at(
        self, shares: np.ndarray, draws: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(points,) and slopes (points, domains), each point of its own draw."""
        total, slope = self.goal.at(shares, draws)
        for normal, most in self.region.planes:
            over = np.maximum(shares @ normal - most, 0.0)
            total = total + STEEP * self.unit * over**2
            slope = slope + 2 * STEEP * self.unit * over[:, None] * normal
        for veto in self.vetoes:
            metric = self.goal.metrics[veto.metric]
            steep = STEEP * self.unit / (float(metric.values.var()) + 1e-24)
            value, by_share = metric.value_and_slope(shares, draws)
            there = np.broadcast_to(veto.reference, shares.shape)
            allowed = metric.value_and_slope(there, draws)[0] + veto.margin
            over = np.maximum(value - allowed, 0.0)
            total = total + steep * over**2
            slope = slope + 2 * steep * over[:, None] * by_share
        return total, slope


def slide(fence: Fence, starts: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Where each draw goes down from its start within bounds, all at once, (draws, domains).

    Projected slopes with the step of Barzilai and Borwein; a step that does not lower the value is
    shortened.
    """
    region, unit, shares = fence.region, fence.unit, starts.copy()
    value, slope = fence.at(shares, draws)
    tilt = slope - slope.mean(axis=1, keepdims=True)  # the rest leaves the simplex
    step = FIRST_STEP / (np.abs(tilt).max(axis=1) + 1e-12)
    active = np.arange(len(draws))
    for _ in range(SLIDES):
        if not active.size:
            break
        here, down = shares[active], slope[active]
        trial = project(
            here - step[active, None] * down, region.low, region.high, region.groups
        )
        reached, turned = fence.at(trial, draws[active])
        better = reached <= value[active] - 1e-5 * np.sum(down * (here - trial), axis=1)
        moved, change = trial - here, turned - down
        along = np.sum(moved * change, axis=1)
        length = np.sum(moved**2, axis=1)
        longer = np.where(
            along > 1e-300, length / np.maximum(along, 1e-300), 3 * step[active]
        )
        step[active] = np.where(
            better, np.clip(longer, 1e-8 / unit, 1e3 / unit), 0.3 * step[active]
        )
        small = np.abs(moved).max(axis=1) < SMALLEST
        shares[active[better]] = trial[better]
        value[active[better]], slope[active[better]] = reached[better], turned[better]
        active = active[~small]
    return shares


def _pool(region: Trust, rng: np.random.Generator) -> np.ndarray:
    """Mixtures of the region: runs, means of a few runs, moved out a little and back within bounds."""
    known = region.known
    n_mixed = min(4, len(known))
    picked = rng.integers(0, len(known), (POOL, n_mixed))
    parts = rng.dirichlet(np.full(n_mixed, 0.7), POOL)
    means = np.einsum("pk,pkd->pd", parts, known[picked])
    outer = means + (means - known.mean(axis=0)) * rng.uniform(0, 0.3, (POOL, 1))
    candidates = np.vstack([known, np.maximum(outer, 0.0)])
    return within(candidates, region.low, region.high, region.groups)


def _corners(region: Trust) -> np.ndarray:
    """The mixtures of the region that are nearest to one domain alone, (domains, domains)."""
    corners = np.stack([region.inside(one) for one in np.eye(region.low.size)])
    return within(corners, region.low, region.high, region.groups)


def _apart(pool: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
    """The best of the pool that are not close to one another."""
    chosen: list[np.ndarray] = []
    for at in np.argsort(values, kind="stable"):
        if all(0.5 * np.abs(pool[at] - other).sum() > APART for other in chosen):
            chosen.append(pool[at])
        if len(chosen) == STARTS:
            break
    return chosen


def _walk(goal, region, vetoes, *, start, draw, unit) -> tuple[float, np.ndarray]:
    """(value, mixture) at the foot of the slope from `start`, in the trusted region."""
    share = start
    for _ in range(MOST_CUTS):
        share = _descend(goal, region, vetoes, start=share, draw=draw, unit=unit)
        if not region.cut(share):
            break
    else:
        share = region.inside(share)
    which = None if draw is None else np.array([draw])
    return float(goal.at(share[None], which)[0][0]), share


def _descend(goal, region, vetoes, *, start, draw, unit) -> np.ndarray:
    """One run of SLSQP; the start where it ends nowhere."""
    from scipy.optimize import minimize  # here: it is slow to import

    which = None if draw is None else np.array([draw])

    def scaled(share):
        value, slope = goal.at(share[None], which)
        return value[0] / unit, slope[0] / unit

    limits = [
        {
            "type": "eq",
            "fun": lambda s, own=own, total=total: s[own].sum() - total,
            "jac": lambda s, own=own: np.isin(np.arange(s.size), own).astype(float),
        }
        for own, total in region.groups or whole(start.size)
    ]
    if region.planes:
        normals = np.stack([normal for normal, _ in region.planes])
        most = np.array([limit for _, limit in region.planes])
        limits.append(
            {
                "type": "ineq",
                "fun": lambda s: most - normals @ s,
                "jac": lambda s: -normals,
            }
        )
    limits += [_veto_limit(goal, veto, draw) for veto in vetoes]
    found = minimize(
        scaled,
        start,
        jac=True,
        method="SLSQP",
        bounds=list(zip(region.low, region.high, strict=True)),
        constraints=limits,
        options={"maxiter": 60, "ftol": 1e-8},
    )
    share = found.x if np.isfinite(found.x).all() else start
    return within(share[None], region.low, region.high, region.groups)[0]


def _veto_limit(goal: Goal, veto: Veto, draw: int | None) -> dict:
    metric = goal.metrics[veto.metric]
    scale = float(metric.values.std()) + 1e-12
    which = None if draw is None else np.array([draw])

    def at(share):
        return metric.value_and_slope(share[None], which)

    most = at(veto.reference)[0][0] + veto.margin

    return {
        "type": "ineq",
        "fun": lambda share: (most - at(share)[0][0]) / scale,
        "jac": lambda share: -at(share)[1][0] / scale,
    }
