"""What judges would have said of other held-out documents or items: values under re-weightings that all runs share."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from stages.foundation import artefacts
from stages.proxy.tokens.packed import Packed
from stages.runs.judge_record import Judge
from stages.runs.study import heldout_resamples
from stages.runs.suite import judged_rows

LEAST = 1e-3  # ours: a value that its standard error would make less or negative stops there


def resampled_suite(
    judges: Sequence[Judge],
    best: pl.DataFrame,
    runs: pl.DataFrame,
    *,
    draws: int,
    seed: int,
) -> np.ndarray:
    """Weighted mean of the judges in use under re-weighted documents or items, (draws, runs), bits a byte.

    best: the runs that are fitted, one row a run; runs: the runs table, all metrics.
    """
    used = [each for each in judges if each.used]
    parts = [
        each.weight
        * resampled(
            each.metric, judged_rows(best, runs, each), draws=draws, seed=seed + at
        )
        for at, each in enumerate(used)
    ]
    return np.sum(parts, axis=0)


def resampled(metric: str, rows: pl.DataFrame, *, draws: int, seed: int) -> np.ndarray:
    """Values of one metric under `draws` re-weightings that all runs share, (draws, runs), unit of the metric.

    Documents of a held-out domain, `bpb_<domain>`, are weighed anew; of items only the standard error is known, so
    the value moves by it, in the same direction for every run. rows: run_id, value and value_se of this metric.
    """
    if metric.startswith("bpb_"):
        domain = metric.removeprefix("bpb_")
        losses = pl.read_parquet(artefacts.HELD_OUT_LOSSES)
        nats = heldout_resamples(
            losses.filter(metric=f"loss_{domain}"),
            Packed.open(f"{artefacts.PACKED_HELD_OUT}/{domain}").n_scored_bytes,
            rows["run_id"].to_list(),
            draws=draws,
            seed=seed,
        )
        return nats / np.log(2)
    moved = np.random.default_rng(seed).standard_normal((draws, 1))
    value, error = (
        rows[name].cast(pl.Float64).to_numpy() for name in ("value", "value_se")
    )
    return np.maximum(value + moved * np.nan_to_num(error), LEAST * value)
