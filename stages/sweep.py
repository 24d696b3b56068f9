"""Question: what loss does every arm reach, at every size, budget and resample?
Input: views, packed tokens, held-out domains. Output: one JSON file a finished trunk (kept over reruns),
the runs table, and losses by held-out document. Resumable: a trunk is named by the hash of its spec, its
data and the trainer, so a killed sweep goes on and a changed arm retrains itself alone.
Cost: nearly all of the pipeline; a progress bar says how much is left.
"""

import itertools
import logging
import math
from typing import Any

import numpy as np
import polars as pl

from stages.foundation import artefacts
from stages.foundation.files import whole_file, write_json
from stages.foundation.stage import Stage
from stages.images import are_pooled, unused_by_texts
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
from stages.sweeping.views import TOKENIZER

log = logging.getLogger("assay")
PHASED = ("wsd", "wsd_s")  # schedules of a stable phase and a decay
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


def can_be_trained(params: dict[str, Any]) -> tuple[list[str], str] | None:
    """Where the section asks for what cannot be trained: the keys and the fault."""
    if wrong_size := image_sweep.sizes_are_of_the_modality(params):
        return wrong_size
    if params["ingest"].modality == "image":
        return None
    fault = (
        params["sweep"].fault(params["arms"].arms)
        or decays_exist(params)
        or phases_branch(params)
    )
    return (["sweep", fault[0]], fault[1]) if fault else None


def decays_exist(params: dict[str, Any]) -> tuple[str, str] | None:
    """Where sweep.decay_mix names what neither is an arm nor will be designed as one."""
    arms = params["arms"]
    known = {**arms.arms, **arms.every_control}
    designed = tuple(
        f"{name}-"
        for name, question in arms.questions.items()
        if question.kind != "arms"
    )
    for name in itertools.chain(*params["sweep"].decay_mix.items()):
        if name not in known and not name.startswith(designed):
            return "decay_mix", f"no arm {name!r}; arms are {', '.join(known)}"
        if name in params["arms"].arms and params["arms"].arms[name].curriculum:
            return "decay_mix", (
                f"the arm {name!r} has a curriculum, in whose last stage its decays lie;"
                " take one of both out"
            )
    return None


def phases_branch(params: dict[str, Any]) -> tuple[str, str] | None:
    """Where a mixture of two phases has a schedule without a decay of its own."""
    phased = [
        name
        for name, question in params["arms"].questions.items()
        if getattr(question, "two_phases", False)
    ]
    if not phased:
        return None
    if params["sweep"].schedule in PHASED:
        return _no_stable_phase(phased[0], params["sweep"])
    return "schedule", (
        f"{params['sweep'].schedule} has no stable phase and decay, which"
        f" arms.questions.{phased[0]}.two_phases asks for; use {' or '.join(PHASED)}"
    )


def _no_stable_phase(question: str, sweep: SweepParams) -> tuple[str, str] | None:
    """Where the smallest budget is all decay."""
    n_steps = sweep.budgets_tokens[0] // sweep.batch_tokens
    decay = math.ceil(round(sweep.decay_fraction * n_steps, 9))
    if sweep.decay_fraction < 1 and (sweep.tuning.sets_batch or decay < n_steps):
        return None
    return "decay_fraction", (
        f"{sweep.decay_fraction:g} leaves {sweep.budgets_tokens[0]} tokens no stable"
        f" phase, which arms.questions.{question}.two_phases asks for; lower it, or raise"
        " the smallest of budgets_tokens"
    )


stage = Stage(
    run=run,
    params=SweepParams,
    agrees=can_be_trained,
    follows=("target", "arms"),
    question="What loss does every arm reach, at every size, budget and resample?",
    deps=(
        artefacts.VIEWS,
        artefacts.ARMS,
        artefacts.PACKED_POOLS,
        artefacts.PACKED_HELD_OUT,
    ),
    unused=unused_by_texts,
    inputs=lambda params: (params.items, TOKENIZER) if params and params.items else (),
    outs=(
        artefacts.RUNS,
        artefacts.HELD_OUT_LOSSES,
        artefacts.TRAINING_CURVES,
    ),
    resumable=(artefacts.RUN_FILES,),
    metrics=(artefacts.SWEEP_METRICS,),
    shown=f"`{artefacts.RUN_FILES}/`, `{artefacts.RUNS}`",
)
