"""What a question about branches cannot have, said before any work starts."""

from collections.abc import Mapping
from typing import Any

from stages.foundation.errors import InputError
from stages.proxy.specs.shape import LADDER, Shape, whole_batches
from stages.settings.branches import BranchSettings
from stages.settings.model_forms import formed
from stages.settings.questions import Fault, Question


def branch_fault(params: Mapping[str, Any]) -> tuple[list[str], str] | None:
    """The keys and the fault of the first such question. params: every section by its name."""
    for name, question in params["arms"].questions.items():
        branch = question.branch if isinstance(question, Question) else None
        if branch is not None and (fault := _fault(branch, params)):
            return ["arms", "questions", name, "branch", fault[0]], fault[1]
    return None


def _fault(branch: BranchSettings, params: Mapping[str, Any]) -> Fault | None:
    sweep = params["sweep"]
    if params["ingest"].modality == "image":
        return "base", "branches are of text; image proxies are trained from the start"
    if sweep.tuning.rule == "power":
        return "base", (
            "the trunk of sweep.tuning.rule power has no constant rate to leave; use"
            " another rule"
        )
    if unknown := [size for size in branch.sizes or [] if size not in LADDER]:
        return "sizes", f"no size {unknown[0]!r}; sizes are {', '.join(LADDER)}"
    uneven = None if sweep.tuning.sets_batch else branch.uneven(sweep.batch_tokens)
    if uneven is not None:
        key, tokens = uneven
        return key, (
            f"{tokens} tokens are no whole number of batches of {sweep.batch_tokens};"
            f" use {whole_batches(tokens, sweep.batch_tokens)}"
        )
    if branch.loss == "answer" and not _has_prompts(params):
        return "loss", (
            "answer needs documents with a prompt; say which column holds it"
            " (ingest.pools.NAME.prompt)"
        )
    return _checkpoint_fault(branch, params)


def _has_prompts(params: Mapping[str, Any]) -> bool:
    return any(pool.prompt is not None for pool in params["ingest"].pools.values())


def _checkpoint_fault(
    branch: BranchSettings, params: Mapping[str, Any]
) -> Fault | None:
    """Where the user's trunk cannot be read, or is of another model than the sweep's."""
    if branch.checkpoint is None:
        return None
    from stages.proxy.specs.checkpoint_file import read_header

    sweep = params["sweep"]
    try:
        header = read_header(branch.checkpoint)
        dense = Shape.named(
            header.size(),
            context=sweep.context,
            vocab_size=params["pack"].vocab_size,
            qk_norm=sweep.qk_norm,
        )
        header.require(formed(dense, sweep.experts))
    except InputError as error:
        return "checkpoint", str(error)
    return None
