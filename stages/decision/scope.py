"""What an answer speaks for: the size, the compute that was measured and is searched, what the arms have there."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from stages.curation.selecting.recipes import recipes
from stages.decision.at_budgets import Flip
from stages.decision.at_target import columns_at, is_trained
from stages.decision.verdict import drawn_flips, path_of
from stages.foundation import artefacts
from stages.laws.choosing.averaged import Prediction
from stages.laws.deciding.crossover import Crossovers, crossovers
from stages.laws.deciding.path import ArmColumns
from stages.settings.decide import DecideParams

CUT = 0.9  # assumed: a run of two passes misses less of its arm than a tenth


@dataclass(frozen=True)
class Scope:
    """The model size that the answer speaks for; its compute in FLOPs, measured from low to reach, searched to high."""

    n_params: int
    low: float
    reach: float
    high: float


def scope_of(rows: pl.DataFrame, params: DecideParams) -> Scope:
    """The size asked for, else the largest; of a size that was not trained the compute of all runs.

    With a target it is searched as far beyond that. At a size that was not trained the search begins at as few tokens
    as a run saw, at most at a hundredth of the target.
    """
    sizes = sorted(rows["n_params"].unique())
    n_params = params.n_params or sizes[-1]
    flops = (
        rows.filter(n_params=n_params)["flops"] if n_params in sizes else rows["flops"]
    )
    low, reach, far = float(flops.min()), float(flops.max()), float(flops.max())
    if params.target is not None:
        far = max(reach, params.target.n_flops)
        if n_params not in sizes:
            least = 6.0 * n_params * float(rows["n_tokens_seen"].min())
            low = min(least, params.target.n_flops / 100)
    return Scope(
        n_params=n_params,
        low=low,
        reach=reach,
        high=far * 10**params.search_decades,
    )


@dataclass(frozen=True)
class Offers:
    """What arms and their twins offer a law: there, where the answer is for; drawn, in the proxies."""

    there: ArmColumns
    drawn: ArmColumns


def offers(
    names: list[str],
    twin_names: list[str],
    arms: dict[str, Any],
    params: DecideParams,
    rows: pl.DataFrame,
) -> tuple[Offers, ArmColumns]:
    """Of the arms, and of arms and twins where the answer is for. rows: the runs that were fitted."""
    views = pl.read_parquet(artefacts.VIEWS)
    every = [*names, *twin_names]
    drawn = recipes(views, every, arms["tiers"])
    there = drawn
    if params.target is not None:
        there = columns_at(params.target, views, every, arms)
        drawn = as_trained(drawn, rows)
    of_arms = Offers(
        there={arm: there[arm] for arm in names},
        drawn={arm: drawn[arm] for arm in names},
    )
    return of_arms, there


def searched(
    boot: Prediction, columns: ArmColumns, scope: Scope, level: float
) -> Crossovers:
    """The crossings of all arms at one size within the searched compute."""
    return crossovers(
        boot,
        columns,
        flops_low=scope.low,
        flops_high=scope.high,
        n_params=scope.n_params,
        level=level,
    )


def as_trained(
    drawn: dict[str, dict[str, float]], rows: pl.DataFrame
) -> dict[str, dict[str, float]]:
    """What the longest proxies had of each arm where simulated epoching cut it; runs of two passes have seen all of it.

    rows: arm, n_tokens_seen, n_tokens_unique of the runs that were fitted.
    """
    passed = rows.filter(pl.col("n_tokens_seen") >= 2 * pl.col("n_tokens_unique"))
    most = dict(passed.group_by("arm").agg(pl.col("n_tokens_unique").max()).iter_rows())
    made = {}
    for arm, columns in drawn.items():
        part = most.get(arm, columns["n_tokens_unique"]) / columns["n_tokens_unique"]
        times = part if part < CUT else 1.0
        made[arm] = {
            name: times * value if "unique" in name else value
            for name, value in columns.items()
        }
    return made


@dataclass(frozen=True)
class Shown:
    """What the figures draw: a scope, the arms' columns there, and its flips where they are not those of the answer."""

    scope: Scope
    columns: ArmColumns
    flips: list[Flip] | None = None


def shown_scope(
    boot: Prediction,
    offered: Offers,
    *,
    arms: dict[str, Any],
    rows: pl.DataFrame,
    params: DecideParams,
) -> Shown:
    """The scope of the answer, or, where no proxy is of the target's size and pools, the largest proxy on its own."""
    # what generating costs at the target is no part of what the runs cost
    apart = params.target and params.target.generation_flops_per_token
    if params.target is None or (is_trained(params.target, rows, arms) and not apart):
        return Shown(scope_of(rows, params), offered.there)
    scope = scope_of(rows, without_target(params))
    found = searched(boot, offered.drawn, scope=scope, level=params.level)
    _, flips = path_of(found, scope.reach)
    return Shown(scope, offered.drawn, drawn_flips(flips, scope.low, scope.high))


def without_target(params: DecideParams, n_params: int | None = None) -> DecideParams:
    """The same for a trained size, by default the largest."""
    return params.model_copy(update={"n_params": n_params, "target": None})
