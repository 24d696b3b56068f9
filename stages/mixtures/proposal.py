"""The best mixture of a swarm, with intervals: what `assay mix` computes.

Question: which mixture has the least weighted sum of metrics, among those that runs speak for? Input: a swarm
(swarm_tables.py) and wishes (wishes.py). Output: a record of plain JSON values. Laws compete for each metric and
are averaged by what they predict of runs left out; intervals are those of draws of that mean, each searched for
its own best mixture. Cost: 1 to 3 s for 20 runs of 3 domains and 3 metrics, 30 s for 512 of 17 and 13 (measured).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from stages.foundation.errors import RefusedError
from stages.laws.interface.table import note
from stages.laws.mixing.averaged_mix import Metric, fit_metrics
from stages.laws.mixing.repeats import PUBLISHED, Repeats
from stages.laws.mixing.search import Goal, Veto, search
from stages.laws.mixing.trust import Trust, trust
from stages.mixtures.swarm_tables import Swarm
from stages.mixtures.wishes import (
    Wishes,
    bounds_of,
    reference_of,
    unique_of,
    vetoes_of,
    weights_of,
)

LEVEL = 0.9
N_DRAWS, FEWER = (
    200,
    100,
)  # ours: ends of an interval of 90 % from the 10th of each side, or the 5th
LARGE = 60  # metrics times domains from which there are fewer
ENDS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
ALL_ZERO = 1e-5  # of a share
SURE = 0.9  # of draws in which the proposal beats the reference
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Proposal:
    """share and draws: the proposal (domains,) and the best of each draw (draws, domains)."""

    swarm: Swarm
    metrics: list[Metric]
    goal: Goal
    region: Trust
    reference: np.ndarray
    share: np.ndarray
    draws: np.ndarray
    vetoes: dict[int, float]
    repeats: Repeats | None
    published: bool


def propose(
    swarm: Swarm,
    wishes: Wishes,
    *,
    law: dict[str, float] | None = None,
    n_draws: int | None = None,
    seed: int = 0,
    keep_vetoes: bool = True,
    progress: Progress = lambda step, done, total: None,
) -> Proposal:
    """The search. law: R_D_star, B and beta of the user's own fit of repetition, None for the published. n_draws
    None: N_DRAWS, fewer for many metrics of many domains.

    Raises InputError where a wish cannot be, RefusedError where no mixture keeps a veto and keep_vetoes asks for it.
    """
    import scipy.linalg
    import scipy.optimize  # noqa: F401

    if n_draws is None:
        n_draws = (
            FEWER if swarm.values.shape[1] * len(swarm.domains) > LARGE else N_DRAWS
        )
    weights, reference = weights_of(wishes, swarm), reference_of(wishes, swarm)
    low, high = bounds_of(wishes, swarm)
    margins, unique = vetoes_of(wishes, swarm), unique_of(wishes, swarm)
    repeats = None
    if unique is not None:
        repeats = Repeats(float(wishes.tokens or 0), unique, law or PUBLISHED)
    with threadpool_limits(1):  # the matrices are small: threads cost more than they do
        metrics = fit_metrics(
            swarm.shares,
            swarm.values,
            list(swarm.metrics),
            n_draws=n_draws,
            seed=seed,
            progress=lambda done, total: progress("laws", done, total),
        )
        region = trust(swarm.shares, low, high, wishes.reach, swarm.groups)
        goal = Goal(metrics, weights, repeats.cost if repeats else None)
        share, draws = search(
            goal,
            region,
            [Veto(metric, reference, margin) for metric, margin in margins.items()],
            n_draws=n_draws,
            seed=seed,
            progress=lambda done, total: progress("draws", done, total),
        )
    share = np.where(share < ALL_ZERO, 0.0, share)
    found = Proposal(
        swarm,
        metrics=metrics,
        goal=goal,
        region=region,
        reference=reference,
        share=share / share.sum(),
        draws=draws,
        vetoes=margins,
        repeats=repeats,
        published=law is None,
    )
    if keep_vetoes:
        for name in broken_vetoes(found):
            _refuse(name, vetoed(found)[name])
    return found


def record(found: Proposal) -> dict[str, Any]:
    """The proposal as plain JSON values; docs/mix.md has the keys."""
    swarm = found.swarm
    objective = _objective(found)
    beyond = found.region.beyond(found.share)
    return {
        "status": _status(found, objective["p_better"]),
        "proposal": _by(swarm.domains, found.share),
        "interval": dict(zip(swarm.domains, share_intervals(found), strict=True)),
        "predicted": predictions(found, found.share),
        "objective": objective,
        "reference": {
            "mixture": _by(swarm.domains, found.reference),
            "predicted": predictions(found, found.reference),
        },
        "laws": {
            metric.name: {
                surface.form.name: float(weight)
                for surface, weight in zip(metric.surfaces, metric.weights, strict=True)
            }
            for metric in found.metrics
        },
        "check": {metric.name: check(metric) for metric in found.metrics},
        "vetoes": vetoed(found),
        "repetition": _repetition(found),
        "trust": {"reach": found.region.reach, "beyond": beyond},
        "n_runs": len(swarm.runs),
        "n_draws": len(found.draws),
        "level": LEVEL,
        "warnings": swarm.notes + _notes(found, beyond),
    }


def share_intervals(found: Proposal) -> list[list[float]]:
    """Interval of each share, the proposal inside of it, [low, high] a domain."""
    low, high = np.quantile(found.draws, ENDS, axis=0)
    low, high = np.minimum(low, found.share), np.maximum(high, found.share)
    return [[float(a), float(b)] for a, b in zip(low, high, strict=True)]


def predictions(found: Proposal, share: np.ndarray) -> dict[str, list[float]]:
    """What a run of the mixture would measure: metric -> [value, low, high], noise of a run included."""
    rng = np.random.default_rng(1)
    said = {}
    for metric in found.metrics:
        value = float(metric.value(share[None])[0])
        drawn = metric.drawn(share[None])[:, 0]
        noise = metric.noise * rng.standard_normal((20, drawn.size))
        low, high = np.quantile(drawn + noise, ENDS)
        said[metric.name] = [value, min(float(low), value), max(float(high), value)]
    return said


def check(metric: Metric) -> dict[str, float]:
    """Over runs left out: rmse in the unit of the metric, its part of the spread of values, rank correlation."""
    said, seen = (np.argsort(np.argsort(x)) for x in (metric.held, metric.values))
    return {
        "rmse": metric.rmse,
        "of_spread": metric.rmse / float(metric.values.std()),
        "rank_correlation": float(np.corrcoef(said, seen)[0, 1]),
    }


def _objective(found: Proposal) -> dict[str, Any]:
    """Weighted sum at the proposal and at the reference, and how often draws prefer the first."""
    both = np.stack([found.share, found.reference])
    value, other = (float(v) for v in found.goal.values(both))
    drawn = found.goal.drawn(both)
    low, high = (float(v) for v in np.quantile(drawn[:, 0], ENDS))
    gain = drawn[:, 1] - drawn[:, 0]
    gains = [float(v) for v in np.quantile(gain, ENDS)]
    return {
        "weights": _by(found.swarm.metrics, found.goal.weights),
        "value": value,
        "low": min(low, value),
        "high": max(high, value),
        "reference": other,
        "gain": [other - value, *gains],
        "p_better": float(np.mean(gain > 0)),
    }


def _status(found: Proposal, p_better: float) -> str:
    if p_better < SURE:
        return "not better than the reference"
    at_edge = found.region.beyond(found.share) > 0.98 * found.region.reach
    return "at the edge of the runs" if at_edge else "proposed"


def vetoed(found: Proposal) -> dict[str, dict[str, Any]]:
    """For each vetoed metric its change from the reference, with the interval, and what was allowed."""
    both, said = np.stack([found.share, found.reference]), {}
    for at, allowed in found.vetoes.items():
        metric = found.metrics[at]
        value = metric.value(both)
        drawn = metric.drawn(both)
        low, high = np.quantile(drawn[:, 0] - drawn[:, 1], ENDS)
        change = [float(value[0] - value[1]), float(low), float(high)]
        said[metric.name] = {"change": change, "allowed": allowed}
    return said


def broken_vetoes(found: Proposal) -> list[str]:
    """The metrics that the proposal loses more of than it may, since every mixture that was asked for does."""
    values = found.swarm.values
    spread = dict(zip(found.swarm.metrics, values.std(axis=0), strict=True))
    return [
        name
        for name, veto in vetoed(found).items()
        if veto["change"][0] - veto["allowed"] > 1e-3 * spread[name]
    ]


def _refuse(name: str, veto: dict[str, Any]) -> None:
    raise RefusedError(
        f"--veto {name}={veto['allowed']:g}: every mixture within floors, caps and"
        f" the reach of the runs is {veto['change'][0]:.3g} or more worse than the"
        " reference there; allow more, or loosen floors and caps"
    )


def _repetition(found: Proposal) -> dict[str, Any] | None:
    if found.repeats is None:
        return None
    passes = found.repeats.passes(found.share)
    return {
        "passes": _by(found.swarm.domains, passes),
        "cost": float(found.repeats.cost(found.share[None])[0][0]),
        "law": found.repeats.params,
    }


def _notes(found: Proposal, beyond: float) -> list[dict[str, str]]:
    notes = []
    if beyond > 0.98 * found.region.reach:
        notes.append(
            note(
                "edge",
                "warning",
                f"the proposal lies at the edge of what the runs speak for: {beyond:.1%} of"
                " it would have to move to lie between them; the optimum may be further"
                " out, train mixtures on that side",
            )
        )
    further = np.mean(
        [found.region.beyond(d) > found.region.reach for d in found.draws]
    )
    if further > 1 - SURE:
        notes.append(
            note(
                "better_beyond",
                "warning",
                f"in {further:.0%} of draws a mixture further from the runs than"
                f" {found.region.reach:.1%} is better; train mixtures there before you"
                " rule it out",
            )
        )
    for metric in found.metrics:
        if metric.rmse > 0.9 * float(metric.values.std()):
            notes.append(
                note(
                    "not_predicted",
                    "warning",
                    f"{metric.name}: runs left out are predicted no better than by their"
                    " mean; the mixture does not move it, or its noise is too large",
                )
            )
    if found.repeats is not None and found.published:
        notes.append(
            note(
                "repetition_published",
                "info",
                "the cost of repeats follows the published constants for text, in nats;"
                " give your own fit of data_constrained with --law",
            )
        )
    return notes


def _by(names, values) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, values, strict=True)}
