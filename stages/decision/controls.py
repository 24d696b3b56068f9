"""What comparisons of known answer say about all others: how large a lead chance alone makes.

An arm's twin is the same documents from other seeds; it is trained, tuned and fitted as a second arm, so the
difference of the two carries all the noise that a difference between real arms does.
"""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import polars as pl

from stages.decision.record import ControlEffect
from stages.foundation import artefacts
from stages.laws.choosing.averaged import Prediction
from stages.laws.deciding.compare import paired_differences, smallest_detectable_effect
from stages.laws.deciding.path import ArmColumns, arm_path
from stages.runs.judge_record import Judge
from stages.runs.study import best_regularised, law_rows
from stages.runs.suite import with_suite

# normal quantiles of a two-sided test at 5 % and of a power of 90 %; the small number of draws is
# in the refits already
Z_975, Z_POWER = (1.960, 1.282)
# coverage of the intervals of the controls: that of a two-sided test at 5 %, whatever decide.level is
CONTROL_LEVEL = 0.95


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
    ]


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
