"""The instability that small runs foretell: attention logits and gradients by size, carried to the target.

Of every size the median run: its largest attention logit, and the smallest root mean square of its gradient. Both go
about as a power of the size at one learning rate (Wortsman et al. 2023, figures 5 and 12), so a line in logs through
two sizes or more is carried to the target. Two sizes make no error bar: take it for the order of magnitude.
"""

import logging
from typing import Any

import numpy as np
import polars as pl

from stages.target.target import Target

log = logging.getLogger("assay")
LARGEST_LOGIT = 1e4  # cited: Wortsman et al. 2023, section 3.1: runs beyond it diverge
# cited: the same, section 3.4: AdamW's steps shrink where gradients near its epsilon
EPSILON, NEAR = 1e-8, 10.0
LEAST_SIZES = 2  # through which a line goes
LOGIT, GRADIENT = "attention_logit", "gradient_rms"


def watched(curves: pl.DataFrame) -> dict[int, dict[str, float]]:
    """Parameters -> {attention_logit, gradient_rms} of the median run; nothing where no run was watched.

    curves: of the sweep, a row a point.
    """
    if LOGIT not in curves.columns:
        return {}
    by_run = (
        curves.drop_nulls(LOGIT)
        .group_by("n_params", "trunk_id")
        .agg(pl.col(LOGIT).max(), pl.col(GRADIENT).min())
    )
    medians = by_run.group_by("n_params").agg(pl.col(LOGIT, GRADIENT).median())
    rows = medians.sort("n_params").iter_rows(named=True)
    return {
        row["n_params"]: {name: row[name] for name in (LOGIT, GRADIENT)} for row in rows
    }


def carried(found: dict[int, dict[str, float]], name: str, n_params: float) -> float:
    """The line in logs through the sizes at another one.

    >>> found = {1_000: {"x": 2.0}, 10_000: {"x": 4.0}}
    >>> round(carried(found, "x", 100_000), 6)
    8.0
    """
    sizes = np.log(list(found))
    values = np.log([each[name] for each in found.values()])
    slope, at_zero = np.polyfit(sizes, values, 1)
    return float(np.exp(at_zero + slope * np.log(n_params)))


def foretold(curves: pl.DataFrame, target: Target | None) -> dict[str, Any]:
    """What the summary of the sweep says of it, flat; a line in the log, and a warning where a limit is passed."""
    found = watched(curves)
    said = {
        f"{name}_{size}": float(f"{value:.4g}")
        for size, each in found.items()
        for name, value in each.items()
    }
    if target is None or len(found) < LEAST_SIZES:
        return said
    logit, gradient = (
        carried(found, name, target.params) for name in (LOGIT, GRADIENT)
    )
    passed = logit > LARGEST_LOGIT or gradient < NEAR * EPSILON
    (log.warning if passed else log.info)(
        "sweep: carried from %d sizes to %.3g parameters, attention logits reach %.3g"
        " (unstable beyond %.0g) and gradients fall to %.2g (AdamW's epsilon is %.0g)%s",
        len(found),
        target.params,
        logit,
        LARGEST_LOGIT,
        gradient,
        EPSILON,
        "; set qk_norm, or lower the rate or epsilon, and watch the real run"
        if passed
        else "",
    )
    return said | {
        f"foretold_{LOGIT}": float(f"{logit:.4g}"),
        f"foretold_{GRADIENT}": float(f"{gradient:.4g}"),
    }
