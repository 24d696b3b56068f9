"""What comparisons of known answer say about all others: how large a lead chance alone makes.

An arm's twin is the same documents from other seeds; it is trained, tuned and fitted as a second arm, so the
difference of the two carries all the noise that a difference between real arms does.
"""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import polars as pl

from stages.decision.at_budgets import Target
from stages.decision.record import ControlEffect, LrCheck
from stages.foundation import artefacts
from stages.laws.choosing.averaged import Prediction
from stages.laws.deciding.compare import (
    paired_differences,
    smallest_detectable_effect,
)
from stages.laws.deciding.path import ArmColumns, arm_path
from stages.runs.judge_record import Judge
from stages.runs.study import ADDED_SEED, CELL, best_regularised, law_rows
from stages.runs.suite import with_suite

# normal quantiles of a two-sided test at 5 % and of a power of 90 %; the small number of draws is
# in the refits already
Z_975, Z_POWER = (1.960, 1.282)
# coverage of the intervals of the controls: that of a two-sided test at 5 %, whatever decide.level is
CONTROL_LEVEL = 0.95
LOWER_LR = "lr"  # kind of a control


def chance_lead(
    boot: Prediction,
    columns: ArmColumns,
    pairs: dict[str, str],
    flops: list[float],
    n_params: int,
    level: float,
) -> list[float | None]:
    """The lead that this whole analysis gives by chance at each budget: half the interval between an arm and its twin.

    Twins train on the same documents from other seeds, and are tuned and fitted as two arms. None without a twin.
    pairs: twin -> arm; flops: budgets; level: coverage of the interval.
    """
    if not pairs:
        return [None] * len(flops)
    path = arm_path(boot, np.array(flops), columns, n_params=n_params)
    tails = [(1 - level) / 2, (1 + level) / 2]
    half_widths = []
    for twin, arm in pairs.items():
        low, high = np.quantile(path.draws[twin] - path.draws[arm], tails, axis=0)
        half_widths.append((high - low) / 2)
    return [float(width) for width in np.max(half_widths, axis=0)]


def detectable(
    chance: list[float | None], flops: list[float], reach: float, level: float = 0.9
) -> float | None:
    """Smallest difference found with 90 % power at the 5 % level, at the median budget within what was measured.

    chance: of each budget in `flops` half the interval of coverage `level` between twins; None without one.
    """
    inside = [
        lead
        for lead, budget in zip(chance, flops, strict=True)
        if lead is not None and budget <= reach
    ]
    if not inside:
        return None
    z_level = round(NormalDist().inv_cdf((1 + level) / 2), 3)
    return float(np.median(inside)) / z_level * (Z_975 + Z_POWER)


def control_effects(
    arms: dict[str, Any], metric: str, judges: Sequence[Judge] = ()
) -> list[ControlEffect]:
    """Each control less the arm it is like, at equal cells, averaged by draw; and what that could detect."""
    runs = with_suite(pl.read_parquet(artefacts.RUNS), judges).filter(metric=metric)
    return [
        control_effect(runs, name, kind=control["kind"], like=control["like"])
        for name, control in arms["controls"].items()
        if control["kind"] != LOWER_LR
    ]


def lr_runs(
    arms: dict[str, Any], metric: str, names: list[str], judges: Sequence[Judge] = ()
) -> pl.DataFrame:
    """The arms of a question at the usual and at a lower learning rate, in the cells that both have.

    arm, n_params, n_tokens_seen, pool_draw, value, is_lower; empty without such controls.
    """
    like = {
        name: control["like"]
        for name, control in arms["controls"].items()
        if control["kind"] == LOWER_LR and control["like"] in names
    }
    if not like:
        return pl.DataFrame()
    runs = with_suite(pl.read_parquet(artefacts.RUNS), judges).filter(metric=metric)
    lower = best_regularised(runs.filter(pl.col("arm").is_in(list(like))))
    lower = lower.with_columns(pl.col("arm").replace(like), is_lower=pl.lit(True))
    usual = best_regularised(runs.filter(pl.col("arm").is_in(list(like.values()))))
    usual = usual.filter(pl.col("seed") < ADDED_SEED).join(
        lower.select(CELL).unique(), on=CELL, how="semi"
    )
    both = pl.concat([lower, usual.with_columns(is_lower=pl.lit(False))])
    return both.select(*CELL, "pool_draw", "value", "is_lower")


def lr_check(
    runs: pl.DataFrame, best: str, n_tokens: float, flops: float
) -> LrCheck | None:
    """Whether the arm that wins is still ahead at the lower learning rate, at the trained budget nearest to n_tokens.

    runs: of `lr_runs`. It flips where another arm is better there by more than the noise, and was not at the usual
    rate in the same cells. None where the winner or every rival lacks the control.
    """
    if runs.is_empty() or best not in runs["arm"].unique():
        return None
    budgets = runs["n_tokens_seen"].unique().sort().to_list()
    nearest = min(budgets, key=lambda budget: abs(np.log(budget / n_tokens)))
    there = runs.filter(n_tokens_seen=nearest)
    rivals = [arm for arm in there["arm"].unique().sort() if arm != best]
    if not rivals or best not in there["arm"].unique():
        return None
    behind = {
        rival: _leads(there.filter("is_lower"), best, rival).mean() for rival in rivals
    }
    rival = max(behind, key=lambda arm: behind[arm])
    if there["pool_draw"].n_unique() < 2:
        return None
    ends = {}
    for is_lower in (True, False):
        by_draw = _leads(there.filter(is_lower=is_lower), best, rival)
        half = smallest_detectable_effect(
            by_draw, alpha=round(1 - CONTROL_LEVEL, 12)
        ).half_width
        ends[is_lower] = (float(by_draw.mean()), half)
    (low_lead, low_half), (lead, half) = ends[True], ends[False]
    flips = low_lead - low_half > 0 >= lead - half
    return LrCheck(
        flops=flops,
        best=best,
        rival=rival,
        n_tokens_seen=int(nearest),
        lead_nats=lead,
        half_width_nats=half,
        lower_lead_nats=low_lead,
        lower_half_width_nats=low_half,
        flips=flips,
    )


def _leads(runs: pl.DataFrame, arm: str, rival: str) -> np.ndarray:
    """Value of the arm less that of the rival in equal cells, mean over sizes, one a resample; negative is better."""
    on = ["n_params", "pool_draw"]
    pairs = runs.filter(arm=arm).join(runs.filter(arm=rival), on=on, suffix="_rival")
    means = pairs.group_by("pool_draw", maintain_order=True).agg(
        (pl.col("value") - pl.col("value_rival")).mean()
    )
    return means["value"].to_numpy()


def under_lower_lr(target: Target, check: LrCheck | None) -> Target:
    """The comparison, not `decided` where its winner falls behind at the lower learning rate."""
    if target.status != "decided" or check is None or not check.flips:
        return target
    reason = (
        f"at a lower learning rate {check.rival} beats {check.best} by"
        f" {check.lower_lead_nats:.3g} ± {check.lower_half_width_nats:.2g} after"
        f" {check.n_tokens_seen:,} tokens, at the usual one by {check.lead_nats:.3g} ±"
        f" {check.half_width_nats:.2g}: the order of these proxies is that of their rate"
    )
    return target.model_copy(
        update={
            "status": "insufficient_evidence",
            "reason": reason,
            "code": "lr_flips",
        }
    )


def control_effect(
    runs: pl.DataFrame, name: str, kind: str, like: str
) -> ControlEffect:
    """One control less the arm that it is like, with its interval of CONTROL_LEVEL.

    runs: one metric; settings that the control lacks do not count.
    """
    own = runs.filter(arm=name)
    settings = own.select("weight_decay", "dropout").unique()
    others = runs.filter(arm=like).join(
        settings, on=["weight_decay", "dropout"], how="semi"
    )
    both = best_regularised(pl.concat([own, others]))
    by_draw = np.array(
        [
            paired_differences(law_rows(part), name, like).mean()
            for _, part in both.group_by("pool_draw", maintain_order=True)
        ]
    )
    found = smallest_detectable_effect(by_draw, alpha=round(1 - CONTROL_LEVEL, 12))
    return ControlEffect(
        control=name,
        kind=kind,
        like=like,
        difference_nats=float(by_draw.mean()),
        half_width_nats=found.half_width,
        smallest_detectable_effect_nats=found.effect,
        n_draws=len(by_draw),
    )
