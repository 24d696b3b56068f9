"""From comparisons at single budgets to one answer: the arms in turn, the flips between them, one status."""

import math
from collections.abc import Sequence
from dataclasses import asdict

from stages.decision.at_budgets import Crossing, Flip, Status, Stretch, Target
from stages.laws.deciding.crossover import Crossovers

# rounding of 6ND: a budget that is the largest measured run is within what was measured
ROUNDING = 1.0001
# the less sure first: in doubt the question gets the first of them
LEAST_SURE_FIRST: tuple[Status, ...] = (
    "insufficient_evidence",
    "extrapolating",
    "tie",
    "decided",
)
# a first flip that fewer draws have is none
MAJORITY = 0.5


def overall(
    targets: Sequence[Target], flips: Sequence[Flip], reach: float
) -> tuple[Status, str]:
    """The status of the question: the commonest of its budgets within what was measured, in doubt the less sure.

    At a budget inside the interval of a flip no arm can win, whatever the evidence; such budgets do not count.
    reach: the largest measured compute, FLOPs.
    """
    measured = [target for target in targets if target.flops <= reach * ROUNDING]
    clear = [target for target in measured if not _inside_a_flip(target, flips)]
    judged = clear or measured or targets
    counts = {
        status: sum(target.status == status for target in judged)
        for status in LEAST_SURE_FIRST
    }
    status = max(LEAST_SURE_FIRST, key=lambda name: counts[name])
    said = ", ".join(
        f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count
    )
    example = next(target for target in judged if target.status == status)
    n_inside = len(measured) - len(clear) if clear else 0
    inside = f" ({n_inside} more lie inside the interval of a flip)" if n_inside else ""
    reason = (
        f"Of {len(judged)} target budgets within the measured compute{inside}:"
        f" {said}. At {example.flops:.2g} FLOPs: {example.reason}."
    )
    return status, reason


def _inside_a_flip(target: Target, flips: Sequence[Flip]) -> bool:
    """Whether the budget lies in the interval of a flip; an open end reaches as far as it goes."""
    for flip in flips:
        low = flip.low if flip.low is not None else 0.0
        high = flip.high if flip.high is not None else math.inf
        if low <= target.flops <= high:
            return True
    return False


def path_of(found: Crossovers, reach: float) -> tuple[list[str], list[Flip]]:
    """The arms that are best in turn and the flips between them, less first ones that most draws do not have.

    reach: the largest measured compute, FLOPs; a flip above it is marked as extrapolated.
    """
    flips = [
        Flip(**asdict(switch), extrapolated=switch.flops > reach)
        for switch in found.switches
    ]
    path = [arm for arm, _, _ in found.sequence]
    while flips and flips[0].share < MAJORITY:
        path, flips = path[1:], flips[1:]
    return path, flips


def drawn_flips(flips: Sequence[Flip], low: float, high: float) -> list[Flip]:
    """The flips with open ends at the ends of the searched compute, low to high in FLOPs: what a figure shades."""
    return [
        flip.model_copy(
            update={
                "low": low if flip.low is None else flip.low,
                "high": high if flip.high is None else flip.high,
            }
        )
        for flip in flips
    ]


def stretches(found: Crossovers) -> list[Stretch]:
    """The best arm by stretch of compute, with the flip that ends it."""
    ends = [Crossing(**asdict(switch)) for switch in found.switches]
    arms = [arm for arm, _, _ in found.sequence]
    return [
        Stretch(arm=arm, up_to=end)
        for arm, end in zip(arms, [*ends, None], strict=True)
    ]


def crossings(found: Crossovers) -> list[Crossing]:
    """Every crossing of any two arms, best-placed or not."""
    return [
        Crossing(**asdict(crossing))
        for of_pair in found.pairs.values()
        for crossing in of_pair
    ]
