"""What comparisons of known answer say about all others: how large a lead chance alone makes.

An arm's twin is the same documents from other seeds; it is trained, tuned and fitted as a second arm, so the
difference of the two carries all the noise that a difference between real arms does.
"""

from typing import Any

import numpy as np
import polars as pl

from stages.foundation import artefacts
from stages.laws.choosing.bootstrap import Bootstrap
from stages.laws.deciding.compare import paired_differences, smallest_detectable_effect
from stages.laws.deciding.path import ArmColumns, arm_path
from stages.runs.study import best_regularised, law_rows

# normal quantiles; the small number of draws is in the refits already
Z_90, Z_975, Z_POWER = (1.645, 1.960, 1.282)


def chance_lead(
    boot: Bootstrap,
    columns: ArmColumns,
    pairs: dict[str, str],
    flops: list[float],
    n_params: int,
    level: float,
) -> list[float | None]:
    """The lead that this whole analysis gives by chance at each budget: half the interval between an arm and its twin.

    Twins train on the same documents from other seeds, and are tuned and fitted as two arms. None without a twin.
    """
    if not pairs:
        return [None] * len(flops)
    path = arm_path(boot, np.array(flops), columns, n_params=n_params)
    tails = [(1 - level) / 2, (1 + level) / 2]
    widths = [
        np.diff(np.quantile(path.draws[twin] - path.draws[arm], tails, axis=0), axis=0)[
            0
        ]
        / 2
        for twin, arm in pairs.items()
    ]
    return [float(width) for width in np.max(widths, axis=0)]


def detectable(
    chance: list[float | None], flops: list[float], reach: float
) -> float | None:
    """Smallest difference found with 90 % power at the 5 % level, at the median budget within what was measured."""
    inside = [
        lead
        for lead, c in zip(chance, flops, strict=True)
        if lead is not None and c <= reach
    ]
    return float(np.median(inside)) / Z_90 * (Z_975 + Z_POWER) if inside else None


def control_effects(arms: dict[str, Any], metric: str) -> list[dict[str, Any]]:
    """Each control less the arm it is like, at equal cells, averaged by draw; and what that could detect."""
    runs = pl.read_parquet(artefacts.RUNS).filter(metric=metric)
    results = []
    for name, control in arms["controls"].items():
        own = runs.filter(arm=name)
        setting = own.select("weight_decay", "dropout").unique()
        like = runs.filter(arm=control["like"]).join(
            setting, on=["weight_decay", "dropout"], how="semi"
        )
        both = best_regularised(pl.concat([own, like]))
        by_draw = np.array(
            [
                paired_differences(law_rows(part), name, control["like"]).mean()
                for (_,), part in both.group_by("pool_draw", maintain_order=True)
            ]
        )
        detectable = smallest_detectable_effect(by_draw)
        results.append(
            {
                "control": name,
                "kind": control["kind"],
                "like": control["like"],
                "difference_nats": float(by_draw.mean()),
                "half_width_nats": detectable.half_width,
                "smallest_detectable_effect_nats": detectable.effect,
                "n_draws": len(by_draw),
            }
        )
    return results
