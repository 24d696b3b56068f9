"""Question: what loss does every arm reach, at every size, budget and resample?
Input: views, packed tokens, held-out domains. Output: one JSON file a finished trunk (kept over reruns),
the runs table, and losses by held-out document. Resumable: a trunk is named by the hash of its spec, its
data and the trainer, so a killed sweep goes on and a changed arm retrains itself alone.
Cost: nearly all of the pipeline; a progress bar says how much is left.
"""

import logging
from typing import Any

import numpy as np
import polars as pl

from stages.foundation import artefacts
from stages.foundation.files import whole_file, write_json
from stages.images import are_pooled
from stages.images import sweep as image_sweep
from stages.runs.run_files import (
    curves,
    document_losses,
    finished,
    is_finished,
    runs_table,
)
from stages.settings.sweep import SweepParams
from stages.sweeping.branches import phases, train_lost_again, trained_data
from stages.sweeping.foretold import foretold
from stages.sweeping.trunks import planned

log = logging.getLogger("assay")
UNRECORDED = (
    "steps are started one by one"  # the trainer's own words, whose file loads torch
)


def run(params: SweepParams) -> None:
    """Train what is missing, then write the tables of what was asked for."""
    if are_pooled():
        return image_sweep.run(params)
    data, trunks = planned(params)
    missing = [trunk for trunk in trunks if not is_finished(trunk)]
    log.info("sweep: %d of %d trunks done", len(trunks) - len(missing), len(trunks))
    if missing:
        from stages.sweeping.train_trunks import train  # loads torch

        train_lost_again(trunks)
        given = trained_data(data, trunks, watch=params.watch)
        for phase in phases(trunks):
            if not all(map(is_finished, phase)):
                train(phase, given, params.device)
    runs = finished([trunk["trunk_id"] for trunk in trunks])
    table = runs_table(runs)
    with whole_file(artefacts.RUNS) as temporary:
        table.write_parquet(temporary)
    with whole_file(artefacts.HELD_OUT_LOSSES) as temporary:
        document_losses(runs).write_parquet(temporary)
    points = curves(runs)
    with whole_file(artefacts.TRAINING_CURVES) as temporary:
        points.write_parquet(temporary)
    more = unrecorded(runs) | foretold(points, params.target)
    write_json(artefacts.SWEEP_METRICS, metrics(table) | more)


def metrics(table: pl.DataFrame) -> dict[str, Any]:
    """Flat counts and the best loss on each domain; nothing that differs between two equal sweeps."""
    best = (
        table.filter(pl.col("metric").str.starts_with("loss_") & ~pl.col("diverged"))
        .group_by("metric", maintain_order=True)
        .agg(pl.col("value").min())
    )
    return {
        "trunks": table["trunk_id"].n_unique(),
        "diverged": (
            table.filter("diverged")["trunk_id"].n_unique()
        ),  # marked in the runs table; no law or table of bests reads them
        "log10_max_flops": round(float(np.log10(table["flops"].max())), 3),
        **{
            f"best_{metric}_nats": round(value, 4) for metric, value in best.iter_rows()
        },
    }


def unrecorded(runs: list[dict[str, Any]]) -> dict[str, int]:
    """How many trunks took their steps one by one since a CUDA graph could not be recorded; nothing where none did."""
    n_trunks = sum(
        any(note.startswith(UNRECORDED) for note in run["result"]["notes"])
        for run in runs
    )
    return {"unrecorded_trunks": n_trunks} if n_trunks else {}
