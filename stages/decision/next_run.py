"""The run to make next: the cheapest that settles the least settled comparison nearly as well as any would."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from stages.decision.record import Flip, NextRun, Target
from stages.laws.choosing.averaged import Prediction
from stages.laws.deciding import plan
from stages.laws.deciding.path import ArmColumns
from stages.laws.interface.cost import SIX, Cost

# assumed: an open end of a flip's interval lies a factor of 1,000 away
OPEN_END = 1e3
# assumed: half of what the best run removes is worth its lower price
WORTH = 0.5


class OpenPair(NamedTuple):
    """Two arms and the budget in FLOPs at which they are compared."""

    first: str
    second: str
    flops: float


def least_settled(targets: Sequence[Target], flips: Sequence[Flip]) -> OpenPair | None:
    """The comparison with most to gain: the flip with the widest interval, else the closest pair at a target budget."""
    if flips:
        widest = max(flips, key=_log_width)
        return OpenPair(widest.first, widest.second, widest.flops)
    rivals = [
        (abs(target.lead[0]), OpenPair(target.best, target.second, target.flops))
        for target in targets
        if target.second is not None
    ]
    if not rivals:
        return None
    return min(rivals, key=lambda rival: rival[0])[1]


def _log_width(flip: Flip) -> float:
    """Width of the interval of a flip as a log ratio."""
    low = flip.low if flip.low is not None else flip.flops / OPEN_END
    high = flip.high if flip.high is not None else flip.flops * OPEN_END
    return math.log(high / low)


def candidate_runs(
    arms: Sequence[str], columns: ArmColumns, rows: pl.DataFrame, cost: Cost = SIX
) -> list[dict[str, float | str]]:
    """Every arm at every size and budget that was trained, and at twice the largest budget.

    cost: of the runs that were fitted.
    """
    sizes = sorted(rows["n_params"].unique())
    budgets = sorted(rows["n_tokens_seen"].unique())
    budgets.append(2 * int(budgets[-1]))
    return [
        {
            "arm": arm,
            "n_params": float(size),
            "n_tokens_seen": float(budget),
            "flops": float(cost.flops(size, budget)),
            **columns[arm],
        }
        for arm in arms
        for size in sizes
        for budget in budgets
    ]


def next_best(
    boot: Prediction,
    columns: ArmColumns,
    targets: Sequence[Target],
    flips: Sequence[Flip],
    rows: pl.DataFrame,
    n_params: int,
    run_columns: ArmColumns | None = None,
) -> NextRun | None:
    """The cheapest proxy run that narrows the least settled comparison at least half as much as the best one would.

    rows: the runs that were fitted; n_params: the size that the comparison speaks for; columns: of the arms there;
    run_columns: of proxies, where they are others.
    """
    pair = least_settled(targets, flips)
    if pair is None:
        return None
    quantity = plan.difference_at(
        boot, pair.flops, pair.first, pair.second, columns, n_params=n_params
    )
    candidates = candidate_runs(
        (pair.first, pair.second), run_columns or columns, rows, cost=boot.fit.cost
    )
    runs = plan.next_runs(boot, quantity, candidates)
    return advice(cheapest_worthy(runs), pair)


def cheapest_worthy(runs: Sequence[plan.NextRun]) -> plan.NextRun:
    """The cheapest of the runs that remove at least half of what the best removes."""
    most = max(run.variance_removed for run in runs)
    worthy = [run for run in runs if run.variance_removed >= WORTH * most]
    return min(worthy, key=lambda run: run.flops)


def advice(run: plan.NextRun, pair: OpenPair) -> NextRun:
    """The run with its sentence."""
    arm, size, tokens = (run.row[key] for key in ("arm", "n_params", "n_tokens_seen"))
    text = (
        f"Train {arm} once more, on a new resample, with {size:,.0f}"
        f" parameters for {tokens:,.0f} tokens ({run.flops:.2g} FLOPs):"
        f" it would remove an expected {100 * run.variance_removed:.0f} % of the"
        f" variance of {pair.first} against {pair.second} at {pair.flops:.2g} FLOPs,"
        " the least settled comparison."
    )
    return NextRun(
        arm=arm,
        n_params=size,
        n_tokens_seen=tokens,
        flops=run.flops,
        variance_removed=run.variance_removed,
        settles=tuple(pair),
        text=text,
    )
