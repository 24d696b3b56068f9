"""The run to make next.

With a target: the runs of one cell, on every resample, by which its answer becomes surest per FLOP (advisor.py), of
arms that may still be the best (hopeless.py). Without: the cheapest that settles the least settled comparison nearly
as well as any would.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from stages.decision.at_budgets import Flip, Target
from stages.decision.record import NextRun
from stages.laws.choosing.averaged import Prediction
from stages.laws.choosing.bootstrap import residual_noise
from stages.laws.deciding import advisor, plan
from stages.laws.deciding.hopeless import hopeless, sureness
from stages.laws.deciding.path import ArmColumns, arm_path
from stages.laws.interface.cost import SIX, Cost
from stages.runs.study import ADDED_SEED

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


class Advised(NamedTuple):
    """The run to make next, None where none is expected to help, the arms that need no more -> chance to lead, and how
    sure the answer at the target is, None without one.
    """

    run: NextRun | None
    dropped: dict[str, float]
    sure: float | None = None


def advised(
    boot: Prediction,
    columns: ArmColumns,
    target: Target,
    *,
    rows: pl.DataFrame,
    n_params: int,
    run_columns: ArmColumns,
) -> Advised:
    """What to train for the answer at the target.

    target: the comparison there; columns: of the arms there, run_columns: in proxies; rows: the runs that were fitted;
    n_params: of the target. A candidate is a cell trained, or twice the largest budget, on every resample; nothing
    is trained on more than twice the tokens of the target.
    """
    arms = list(columns)
    path = arm_path(boot, [target.flops], columns, n_params=n_params)
    values = np.stack([path.draws[arm][:, 0] for arm in arms], axis=1)
    dropped = hopeless(values, arms, look=looks(rows))
    sure = sureness(values, arms)
    left = [arm for arm in arms if arm not in dropped]
    if target.second is None or len(left) < 2:
        return Advised(None, dropped, sure)
    trained = float(rows["n_tokens_seen"].max())
    longest = max(trained, 2 * target.n_tokens[target.best])
    every = candidate_runs(left, run_columns, rows, cost=boot.fit.cost)
    candidates = [row for row in every if float(row["n_tokens_seen"]) <= longest]
    n_runs = rows["pool_draw"].n_unique()
    outlook = advisor.Outlook.of(values)
    predicted = plan.predictions(boot, candidates)
    noise = float(residual_noise(boot.fit).std()) / math.sqrt(n_runs)
    best = advisor.ranked(
        outlook,
        predicted,
        flops=[n_runs * float(row["flops"]) for row in candidates],
        noise=noise,
    )[0]
    if best.fall < advisor.LEAST_FALL:
        return Advised(None, dropped, sure)
    chosen = predicted[:, best.candidate]
    quantity = np.log(path.draws[target.best] / path.draws[target.second])[:, 0]
    row = candidates[best.candidate]
    [paired] = plan.next_runs(boot, quantity, [row], noise=noise)
    decay, dropout = setting_near(rows, row)
    after = 1 - outlook.after(chosen, noise, seed=0).expected("wrong")
    found = NextRun(
        arm=str(row["arm"]),
        n_params=float(row["n_params"]),
        n_tokens_seen=float(row["n_tokens_seen"]),
        flops=best.flops,
        n_runs=n_runs,
        weight_decay=decay,
        dropout=dropout,
        p_best=(target.p_best[target.best], after),
        variance_removed=paired.variance_removed,
        settles=(target.best, target.second, target.flops),
        text=(
            f"Train {row['arm']} once more, on each of the {n_runs} resamples, with"
            f" {row['n_params']:,.0f} parameters for {row['n_tokens_seen']:,.0f} tokens"
            f" ({best.flops:.2g} FLOPs in all): P(best) at the target, now"
            f" {target.p_best[target.best]:.2f}, is expected to become {after:.2f}."
        ),
    )
    return Advised(found, dropped, sure)


def looks(rows: pl.DataFrame) -> int:
    """How often the runs were looked at: once, and once after each addition to them."""
    if "seed" not in rows.columns:
        return 1
    added = rows.filter(pl.col("seed") >= ADDED_SEED).with_columns(
        time=pl.col("seed") // ADDED_SEED
    )
    return 1 + added.select("arm", "n_params", "n_tokens_seen", "time").n_unique()


def setting_near(
    rows: pl.DataFrame, row: dict[str, float | str]
) -> tuple[float | None, float | None]:
    """Weight decay and dropout that won most often at the arm's nearest trained cell; None where rows do not say."""
    names = ["weight_decay", "dropout"]
    if not set(names) <= set(rows.columns):
        return None, None
    apart = sum(
        (pl.col(name).cast(pl.Float64).log() - math.log(float(row[name]))) ** 2
        for name in ("n_params", "n_tokens_seen")
    )
    own = rows.filter(arm=row["arm"]).with_columns(apart=apart)
    nearest = own.filter(pl.col("apart") <= pl.col("apart").min() + 1e-9)
    counts = (
        nearest.group_by(names)
        .len()
        .sort("len", *names, descending=[True, False, False])
    )
    decay, dropout = counts.select(names).row(0)
    return decay, dropout
