"""Many starts, one optimum: where a fit begins, which ends are worth polishing, and how many starts agree."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stages.foundation.errors import InputError
from stages.laws.fitting.solver import Problem, minimise

# assumed: objectives that differ by less than 0.1 % of the best are one basin
SAME_BASIN = 1e-3
# assumed: squares 30 times those of the best start (residuals 5 times) are no rival under any
# objective
HOPELESS = 30.0
POLISHED = 64  # ours: distinct ends of the coarse stage that go to the exact objective


def draw_starts(
    problem: Problem, n_starts: int, seed: int, fixed: Mapping[str, float]
) -> np.ndarray:
    """Starts (n_starts, slots), uniform over the starting ranges; the arms of a parameter start close together."""
    rng, layout = np.random.default_rng(seed), problem.layout
    low, high = layout.range("start_low", "start_high")
    starts = np.empty((n_starts, layout.size))
    for name, slot in layout.slots.items():
        width = high[slot] - low[slot]
        starts[:, slot] = (
            low[slot]
            + width * rng.random((n_starts, 1))
            + 0.05 * width * rng.standard_normal((n_starts, layout.width(name)))
        )
        if name in fixed:
            transform = next(
                p.transform for p in layout.law.parameters if p.name == name
            )
            starts[:, slot] = np.log(fixed[name]) if transform == "log" else fixed[name]
    return starts


def coarse_ends(
    problem: Problem, starts: np.ndarray, frozen: np.ndarray
) -> tuple[np.ndarray, int]:
    """Where a coarse least-squares fit takes each start, best first and hopeless ones left out, and
    how many starts were usable.
    """
    easy = (
        "least_squares" if problem.objective == "least_squares" else "least_squares_log"
    )
    coarse = minimise(
        problem.with_objective(easy),
        starts,
        frozen=frozen,
        tolerance=1e-4,
        max_iterations=40,
    )
    usable = np.flatnonzero(np.isfinite(coarse.objective))
    if not usable.size:
        raise InputError(
            f"none of {len(starts)} starts of law '{problem.layout.law.name}' gave a"
            " finite value; check the units of the columns"
        )
    order = usable[np.argsort(coarse.objective[usable])]
    order = order[
        coarse.objective[order] <= HOPELESS * coarse.objective[order[0]] + 1e-25
    ]
    return coarse.theta[order], usable.size


@dataclass(frozen=True)
class Found:
    """The best theta (slots,) and its objective, how many ends share its basin, the objective of the next
    basin if there is one, and the distinct ends, best first (ends, slots).
    """

    theta: np.ndarray
    objective: float
    same_basin: int
    runner_up: float | None
    ends: np.ndarray


def best_of_ends(problem: Problem, ends: np.ndarray, frozen: np.ndarray) -> Found:
    """The distinct ends go to the exact objective, then the best of them to the last digit."""
    heads, followers = _distinct(ends, problem.layout.typical())
    polished = minimise(
        problem, ends[heads], frozen=frozen, tolerance=1e-6, max_iterations=40
    )
    order = np.argsort(
        np.where(np.isfinite(polished.objective), polished.objective, np.inf)
    )
    final = minimise(
        problem,
        polished.theta[order[:1]],
        frozen=frozen,
        tolerance=1e-13,
        max_iterations=300,
    )
    best = float(final.objective[0])
    same = polished.objective <= best * (1 + SAME_BASIN) + 1e-25
    others = polished.objective[~same & np.isfinite(polished.objective)]
    rest = polished.theta[order[1:]]
    return Found(
        final.theta[0],
        objective=best,
        same_basin=int(followers[same].sum()),
        runner_up=float(others.min()) if others.size else None,
        ends=np.concatenate([final.theta, rest]),
    )


def noise_delta(problem: Problem, theta: np.ndarray) -> float:
    """1.345 robust standard deviations of the log residuals (cited: Huber's tuning), at least .0001."""
    values = problem.values(theta[None])[0]
    return max(
        1.345 * 1.4826 * float(np.median(np.abs(np.log(values / problem.observed)))),
        1e-4,
    )


def _distinct(theta: np.ndarray, typical: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows that stand for all others within .02 of a typical step, at most POLISHED, and how many each stands for."""
    heads: list[int] = []
    followers: list[int] = []
    left = np.arange(len(theta))
    while left.size and len(heads) < POLISHED:
        near = np.max(np.abs(theta[left] - theta[left[0]]) / typical, axis=1) < 0.02
        heads.append(int(left[0]))
        followers.append(int(near.sum()))
        left = left[~near]
    return np.array(heads), np.array(followers)
