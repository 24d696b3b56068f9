"""What a question about branches cannot have, said before any work starts."""

from collections.abc import Mapping
from typing import Any

from stages.foundation.errors import InputError
from stages.proxy.specs.shape import LADDER, Shape, whole_batches
from stages.searched.branched import arm_of, trained_whole, trunk_arm, twins_of
from stages.settings.arms import ArmsParams
from stages.settings.branches import BranchSettings
from stages.settings.model_forms import formed
from stages.settings.questions import Fault, Question


def branch_fault(params: Mapping[str, Any]) -> tuple[list[str], str] | None:
    """The keys and the fault of the first such question. params: every section by its name."""
    for name, question in params["arms"].questions.items():
        branch = question.branch if isinstance(question, Question) else None
        if branch is None:
            continue
        if fault := _fault(branch, params):
            return ["arms", "questions", name, "branch", fault[0]], fault[1]
        for arm in (*question.arms, branch.base):
            if params["arms"].arms[arm].curriculum:
                return ["arms", "arms", arm, "curriculum"], (
                    f"the question {name!r} reads it in branches, which begin in the"
                    " middle of a run; name an arm without a curriculum there"
                )
    return _taken_name(params["arms"]) or _not_trained_whole(params)


def _taken_name(arms: ArmsParams) -> tuple[list[str], str] | None:
    """Where an arm or a twin that such a question makes has the name of something else."""
    made: dict[str, str] = {}
    for name, question in arms.questions.items():
        if not isinstance(question, Question) or question.branch is None:
            continue
        own = [arm_of(name, arm) for arm in {*question.arms, question.branch.base}]
        own += twins_of(name, question, arms)
        trunk = [] if question.branch.checkpoint else [trunk_arm(question.branch)]
        for each in sorted([*own, *trunk]):
            for key, there in (("arms", arms.arms), ("controls", arms.every_control)):
                if each in there:
                    return ["arms", key, each], (
                        f"the question {name!r} makes an arm of this name; give yours"
                        " another"
                    )
        for each in sorted(own):
            if each in made:
                return ["arms", "questions", name], (
                    f"makes an arm {each!r}, as the question {made[each]!r} does; give"
                    " one of the questions another name"
                )
            made[each] = name
    return None


def _not_trained_whole(params: Mapping[str, Any]) -> tuple[list[str], str] | None:
    """Where the sweep asks for runs from the start of an arm that branches alone train, or for its data in a decay."""
    arms, sweep = params["arms"], params["sweep"]
    whole, controls = trained_whole(arms)
    named = [("added", run.arm) for run in sweep.added]
    named += [("decay_mix", arm) for pair in sweep.decay_mix.items() for arm in pair]
    for key, arm in named:
        known = arm in arms.arms or arm in arms.every_control
        if known and arm not in whole and arm not in controls:
            return ["sweep", key], (
                f"the arm {arm!r} is trained in branches alone; take it out, or name it"
                " in a question without a branch"
            )
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
    if branch.loss == "answer" and sweep.z_loss:
        return "loss", (
            f"answer has no z_loss, and sweep.z_loss is {sweep.z_loss:g}; set that to 0, or"
            " loss to all"
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
