"""What questions and arms may not ask for, known before any work: a score, a rule, a policy or a licence that no stage
or pool has, too few runs of a swarm, branches that cannot be.

Each fault is the keys in params.yaml and one line.
"""

from collections.abc import Sequence
from typing import Any

from stages.curation.names import OWN_SCORES
from stages.curation.rules.rule_list import named_rules
from stages.foundation.errors import InputError
from stages.images.scoring import ImageScoring
from stages.searched.kinds import branches_asked
from stages.settings.arms import Arm, ArmsParams
from stages.settings.pools import Pool
from stages.settings.questions import Designed, MixtureQuestion, Question
from stages.target.target import Target

LEAST_TOKENS = 4_096  # of a draw of text
# policies that the dedup stage finds only where this key of its section asks
DEDUP_KEYS = {"semantic": "semantic", "lines": "lines", "bands": "fineweb"}


Fault = tuple[list[str], str]  # the keys, and the fault in one line
FieldFault = tuple[str, str]  # the same below a section, an arm or a question


def names_exist(params: dict[str, Any]) -> Fault | None:
    """Where an arm names a score, a rule or a policy that no stage computes: its keys and the fault."""
    pools = params["ingest"].pools
    return (
        _target_fault(params["decide"].target, params["arms"], pools)
        or _draw_fault(params)
        or _question_fault(params)
        or _branch_fault(params)
        or _lines_of_prompts(params["arms"], pools)
        or _arm_fault(params)
    )


def _is_image(params: dict[str, Any]) -> bool:
    return params["ingest"].modality == "image"


def _target_fault(
    target: Target | None, arms: ArmsParams, pools: dict[str, Pool]
) -> Fault | None:
    """A pool that the target names and that is not there, or a question that would not count what it states."""
    if target is None:
        return None
    stated = target.pool_tokens
    for key, named in (
        ("pool_tokens", stated if isinstance(stated, dict) else {}),
        ("generation_flops_per_token", target.generation_flops_per_token),
    ):
        if unknown := [name for name in named if name not in pools]:
            return (
                ["target", key],
                f"no pool {unknown[0]!r}; pools are {', '.join(pools)}",
            )
    if target.generation_flops_per_token and (why := _uncounted(target, arms)):
        return ["target", "generation_flops_per_token"], why
    return None


def _draw_fault(params: dict[str, Any]) -> Fault | None:
    """A draw of text that is too small to train on."""
    tokens = params["arms"].draw_tokens
    if _is_image(params) or not tokens or tokens >= LEAST_TOKENS:
        return None
    return ["arms", "draw_tokens"], f"must be at least {LEAST_TOKENS} (value {tokens})"


def _question_fault(params: dict[str, Any]) -> Fault | None:
    """What a question that is searched for cannot have."""
    for name, question in params["arms"].questions.items():
        if isinstance(question, Question):
            continue
        own = question.fault(params["ingest"].pools, image=_is_image(params))
        if fault := own or too_few_runs(question):
            return ["arms", "questions", name, fault[0]], fault[1]
    return None


def _arm_fault(params: dict[str, Any]) -> Fault | None:
    """What an arm cannot have."""
    for name, arm in params["arms"].arms.items():
        fault = (
            _image_fault(arm, params["score"].images)
            if _is_image(params)
            else _text_fault(arm, params)
        )
        if fault:
            return ["arms", "arms", name, fault[0]], fault[1]
    return None


def _text_fault(arm: Arm, params: dict[str, Any]) -> FieldFault | None:
    """What an arm of text cannot have."""
    if unlicensed := _licence_fault(arm, params["ingest"].pools):
        return "licence", unlicensed
    own, measures = [*OWN_SCORES, *params["score"].extra], params["score"].measures()
    order = arm.curriculum.by if arm.curriculum else arm.by
    for field, by in (("by", arm.by), ("curriculum", order)):
        if by not in [*own, *measures]:
            known = (
                f"scores are {', '.join(own)} (further ones go under score.extra),"
                f" measures of rules are {', '.join(measures)}"
            )
            return field, f"no score {by!r}; {known}"
    key = DEDUP_KEYS.get(arm.dedup)
    if key is not None and getattr(params["dedup"], key) is None:
        why = f"the dedup stage does not look for {arm.dedup}; add to its section"
        return "dedup", f"{why} `{key}: {{}}`"
    return _rule_fault(arm, params["score"].judged_names())


def _rule_fault(arm: Arm, judged: Sequence[str]) -> FieldFault | None:
    """A rule that is none, or that the score stage does not judge. judged: names of rules."""
    if isinstance(arm.rules, bool):
        return None
    try:
        unjudged = [rule for rule in named_rules(arm.rules) if rule not in judged]
    except InputError as error:
        return "rules", str(error)
    if not unjudged:
        return None
    return (
        "rules",
        f"the rule {unjudged[0]} is not judged by the score stage; it judges"
        f" {', '.join(judged) or 'none'} (score.rules)",
    )


def _uncounted(target: Target, arms: ArmsParams) -> str | None:
    """A question whose answer would not count what generating costs."""
    generated = {*target.generation_flops_per_token}
    for name, question in arms.questions.items():
        if isinstance(question, Question):
            if question.branch is None:
                continue
            what = "branches off a trunk"
        elif (
            isinstance(question, MixtureQuestion)
            and isinstance(question.over, list)
            and not generated & {*question.over}
        ):
            continue
        else:
            what = "searches among runs of as many tokens"
        return (
            f"is not counted by the question {name!r}, which {what}; ask it between"
            " arms, or leave the question out"
        )
    return None


def _branch_fault(params: dict[str, Any]) -> Fault | None:
    """What a question about branches cannot have: the keys and the fault."""
    if not branches_asked(params):
        return None
    # the trainer's shapes, which a project without such a question does not depend on
    from stages.faults.branch_faults import branch_fault

    return branch_fault(params)


def _lines_of_prompts(arms: ArmsParams, pools: dict[str, Pool]) -> Fault | None:
    """Where texts lose lines and it matters which of them are a prompt: the keys and the fault."""
    if not any(pool.prompt is not None for pool in pools.values()):
        return None
    for name, arm in arms.arms.items():
        if arm.dedup == "lines":
            return ["arms", "arms", name, "dedup"], (
                "a document with a prompt (ingest.pools.NAME.prompt) cannot lose lines;"
                " choose another policy"
            )
    return None


def too_few_runs(question: Designed) -> FieldFault | None:
    """Where a swarm has fewer runs than its fit needs: the key and why."""
    if not isinstance(question, MixtureQuestion):
        return None
    # laws of mixtures, which a project without such a question does not depend on
    from stages.mixtures.design import refuse_few

    try:
        refuse_few(question.runs, question.n_domains)
    except InputError as error:
        return "runs", str(error)
    return None


def _licence_fault(arm: Arm, pools: dict[str, Pool]) -> str | None:
    """A licence that no pool has; where one has a column, only the documents can tell."""
    known = [pool.one_licence for pool in pools.values()]
    lost = sorted(set(arm.licence or []) - set(known))
    if not lost or None in known:
        return None
    there = ", ".join(sorted({name for name in known if name is not None}))
    return f"no pool has the licence {lost[0]!r}; licences are {there}"


def _image_fault(arm: Arm, scoring: ImageScoring | None) -> FieldFault | None:
    """What an arm of images cannot have: the key and why."""
    scores = [*OWN_SCORES, *(scoring or ImageScoring()).metrics]
    if arm.by not in scores:
        return (
            "by",
            f"no score {arm.by!r}; scores of images are {', '.join(scores)}"
            " (score.images.metrics)",
        )
    if arm.dedup not in ("none", "exact", "near"):
        return (
            "dedup",
            "images are searched for exact copies only; choose none or exact"
            f" (value {arm.dedup!r})",
        )
    for key, wrong in (
        ("upweight", arm.upweight is not None),
        ("mixture", arm.mixture is not None),
        ("uses", arm.uses is not None),
        ("rules", arm.rules is not False),
        ("licence", arm.licence is not None),
        ("curriculum", arm.curriculum is not None),
    ):
        if wrong:
            return (
                key,
                "is for text; an image proxy reads each image of its arm once a pass",
            )
    return None
