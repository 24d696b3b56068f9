"""What the stage sweep reads and writes, and what it cannot train; its work is stages/sweep.py."""

import itertools
import math
from typing import Any

from stages.foundation import artefacts
from stages.foundation.stage import Stage
from stages.images import unused_by_texts
from stages.settings.model_forms import IMAGE_SIZE
from stages.settings.sweep import SweepParams

PHASED = ("wsd", "wsd_s")  # schedules of a stable phase and a decay


def can_be_trained(params: dict[str, Any]) -> tuple[list[str], str] | None:
    """Where the section asks for what cannot be trained: the keys and the fault."""
    if wrong_size := sizes_are_of_the_modality(params):
        return wrong_size
    if params["ingest"].modality == "image":
        return None
    fault = (
        params["sweep"].fault(params["arms"].arms)
        or decays_exist(params)
        or phases_branch(params)
    )
    return (["sweep", fault[0]], fault[1]) if fault else None


def sizes_are_of_the_modality(params: dict[str, Any]) -> tuple[list[str], str] | None:
    """Where a size is of another modality than the pools: the key and the fault."""
    modality = params["ingest"].modality
    if params["sweep"].added and modality == "image":
        return ["sweep", "added"], "runs are added to text alone; take them out"
    kinds = {name: each.kind for name, each in params["arms"].controls.items()}
    if "lr" in kinds.values() and modality == "image":
        named = next(name for name, kind in kinds.items() if kind == "lr")
        return ["arms", "controls", named], "kind lr is for text; leave it out"
    for key in ("sizes", "control_sizes"):
        for size in getattr(params["sweep"], key):
            if (IMAGE_SIZE.fullmatch(size) is not None) != (modality == "image"):
                return (
                    [
                        "sweep",
                        key,
                    ],
                    f"{size} is no {modality} proxy, and ingest.modality is {modality}",
                )
    return None


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
    name="sweep",
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
    inputs=lambda params: (
        (params.items, artefacts.TOKENIZER) if params and params.items else ()
    ),
    outs=(
        artefacts.RUNS,
        artefacts.HELD_OUT_LOSSES,
        artefacts.TRAINING_CURVES,
    ),
    resumable=(artefacts.RUN_FILES,),
    metrics=(artefacts.SWEEP_METRICS,),
    shown=f"`{artefacts.RUN_FILES}/`, `{artefacts.RUNS}`",
)
