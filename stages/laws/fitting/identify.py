"""Which parameters the data identify: the profile of the objective over each parameter.

A parameter is moved by up to a decade either way while the others are refitted. If the values that the data do
not reject (90 % likelihood ratio, or a change of the objective below 2 %) span a decade or more, it is not
identified: its point value is one of many, and only predictions should be quoted. The published R_D* = 15.4
is the standing example.
"""

from dataclasses import dataclass

import numpy as np

from stages.laws.fitting.solver import Problem, minimise

DECADES = (0.25, 0.5, 1.0)
LIKELIHOOD_RATIO_90 = 2.706  # chi-square with one degree of freedom
TINY_CHANGE = 0.02  # ours: 2 % of the objective is 1 % of the residuals, less than the misfit of any law to real runs
SPAN = 1.0  # decades; ours: a parameter known only to a factor of ten is not known


@dataclass(frozen=True)
class Profile:
    """For each slot: decades searched (slots, 6) in growing order without 0, objective at each (slots, 6),
    the span in decades that is not rejected (slots,), and the best theta seen anywhere on the way.
    """

    decades: np.ndarray
    objective: np.ndarray
    span: np.ndarray
    best_theta: np.ndarray
    best_objective: float


def likelihood_power(problem: Problem, theta: np.ndarray) -> float:
    """k such that -2 log likelihood = k log(objective): n for squares, 2 n for absolute values.

    Huber lies between, by the share of residuals beyond delta. n is reduced by the number of slots.
    """
    freedom = max(problem.observed.size - theta.size, 1)
    if problem.objective != "huber_log":
        return freedom
    residuals = problem.residuals(problem.values(theta[None]), problem.observed)
    return freedom * (1.0 + float(np.mean(np.abs(residuals) > problem.delta)))


def effective_unknowns(
    problem: Problem, theta: np.ndarray, frozen: np.ndarray
) -> float:
    """How many unknowns the runs settle: the free slots, less the part that priors already hold
    (trace of the shrinkage).
    """
    free = ~frozen
    if problem.priors is None:
        return float(free.sum())
    means = problem.priors.mean[None]
    weights = np.ones(1) if problem.weights is None else problem.weights
    with np.errstate(all="ignore"):
        both = problem.normal_equations(
            theta[None], weights[None], problem.observed[None], means
        )[2][0][np.ix_(free, free)]
    of_priors = problem.priors.curvature()[np.ix_(free, free)]
    return float(free.sum() - np.trace(np.linalg.lstsq(both, of_priors, rcond=None)[0]))


def _targets(problem, theta):
    """Where `profile` puts each slot: DECADES below and above its optimum, inside the bounds, (slots, 2, steps)."""
    low, high = problem.layout.range("low", "high")
    logs = np.concatenate(
        [
            np.full(problem.layout.width(p.name), p.transform == "log")
            for p in problem.layout.law.parameters
        ]
    )
    decades = np.stack([-np.array(DECADES), DECADES])
    moved = np.where(
        logs[:, None, None],
        theta[:, None, None] + decades * np.log(10),
        theta[:, None, None] * 10.0**decades,
    )
    return np.clip(moved, low[:, None, None], high[:, None, None])


def walk(
    problem: Problem, theta: np.ndarray, frozen: np.ndarray, targets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Move one free slot at a time from the optimum to its targets, (slots, 2, steps) nearest
    first, and refit the others at each.

    Returns the objective, (slots, 2, steps), and theta there, (slots, 2, steps, slots); inf and
    theta itself for frozen slots.
    """
    free, steps = np.flatnonzero(~frozen), targets.shape[2]
    moves = [(slot, side) for slot in free for side in (0, 1)]
    current = np.repeat(theta[None], len(moves), axis=0)
    reached, ends = np.full(targets.shape, np.inf), np.tile(theta, (*targets.shape, 1))
    held = np.tile(frozen, (len(moves), 1))
    held[np.arange(len(moves)), [slot for slot, _ in moves]] = True
    for step in range(steps):
        for row, (slot, side) in enumerate(moves):
            current[row, slot] = targets[slot, side, step]
        solved = minimise(
            problem, current, frozen=held, tolerance=1e-8, max_iterations=60
        )
        current = solved.theta.copy()
        for row, (slot, side) in enumerate(moves):
            reached[slot, side, step], ends[slot, side, step] = (
                solved.objective[row],
                solved.theta[row],
            )
    return reached, ends


def profile(
    problem: Problem, theta: np.ndarray, objective: float, frozen: np.ndarray
) -> Profile:
    """Profile every free slot of an optimum, (slots,), by continuation: .25, .5 and 1 decade either way."""
    walked, ends = walk(problem, theta, frozen=frozen, targets=_targets(problem, theta))
    reached = np.concatenate([walked[:, 0, ::-1], walked[:, 1]], axis=1)
    lowest = np.unravel_index(np.nanargmin(walked), walked.shape)
    best_theta, best = (
        (ends[lowest], float(walked[lowest]))
        if walked[lowest] < objective
        else (theta, objective)
    )
    decades = np.array([*(-d for d in reversed(DECADES)), *DECADES])
    span = _span(reached, best, likelihood_power(problem, theta))
    span[frozen] = 0.0
    return Profile(
        np.tile(decades, (theta.size, 1)),
        objective=reached,
        span=span,
        best_theta=best_theta,
        best_objective=best,
    )


def profiled(
    problem: Problem, theta: np.ndarray, best: float, frozen: np.ndarray
) -> tuple[np.ndarray, float, np.ndarray]:
    """(theta, its objective, the span of each slot in decades): where the profile stumbles on a lower objective the fit
    goes on from there, at most three times.
    """
    for _ in range(3):
        found = profile(problem, theta, objective=best, frozen=frozen)
        if found.best_objective >= best * (1 - 1e-9):
            break
        final = minimise(
            problem,
            found.best_theta[None],
            frozen=frozen,
            tolerance=1e-13,
            max_iterations=300,
        )
        theta, best = final.theta[0], float(final.objective[0])
    return theta, best, found.span


def _span(reached: np.ndarray, best: float, power: float) -> np.ndarray:
    """Decades around the optimum, contiguous, that the data do not reject. (slots,)"""
    tiny = 1e-300
    rise = np.log((reached + tiny) / (best + tiny))
    accepted = (power * rise <= LIKELIHOOD_RATIO_90) | (rise <= TINY_CHANGE)
    up, down = accepted[:, len(DECADES) :], accepted[:, : len(DECADES)][:, ::-1]
    steps = np.diff([0.0, *DECADES])
    return (np.cumprod(up, axis=1) @ steps) + (np.cumprod(down, axis=1) @ steps)


def condition_number(problem: Problem, theta: np.ndarray, frozen: np.ndarray) -> float:
    """Of the curvature at the optimum, each unknown scaled to unit curvature; 1 where none is free."""
    weights = np.ones(1) if problem.weights is None else problem.weights
    means = None if problem.priors is None else problem.priors.mean[None]
    with np.errstate(all="ignore"):
        curvature = problem.normal_equations(
            theta[None], weights[None], problem.observed[None], means
        )[2][0]
    curvature = curvature[np.ix_(~frozen, ~frozen)]
    if not curvature.size:
        return 1.0
    scale = np.sqrt(np.maximum(np.diag(curvature), 1e-300))
    return float(np.linalg.cond(curvature / np.outer(scale, scale)))
