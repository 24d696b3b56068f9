"""What questions and arms may not ask for, known before any work: a score, a rule, a policy or a licence that no stage
or pool has, too few runs of a swarm, branches that cannot be.

Each fault is the keys in params.yaml and one line.
"""

from typing import Any

from stages.curation.rules.rule_list import named_rules
from stages.curation.selecting.arm_views import OWN_SCORES
from stages.foundation.errors import InputError
from stages.images.scores import ImageScoring
from stages.searched.kinds import branches_asked
from stages.settings.arms import Arm, ArmsParams
from stages.settings.pools import Pool
from stages.settings.questions import Designed, MixtureQuestion, Question
from stages.target.target import Target

LEAST_TOKENS = 4_096  # of a draw of text
# policies that the dedup stage finds only where this key of its section asks
DEDUP_KEYS = {"semantic": "semantic", "lines": "lines", "bands": "fineweb"}


def names_exist(params: dict[str, Any]) -> tuple[list[str], str] | None:
    """Where an arm names a score, a rule or a policy that no stage computes: its keys and the fault."""
    image = params["ingest"].modality == "image"
    target, pools = params["decide"].target, params["ingest"].pools
    if target is not None and (fault := _target_fault(target, pools)):
        return ["target", fault[0]], fault[1]
    if target is not None and target.generation_flops_per_token:
        if uncounted := _uncounted(target, params["arms"]):
            return ["target", "generation_flops_per_token"], uncounted
    if not image and (params["arms"].draw_tokens or LEAST_TOKENS) < LEAST_TOKENS:
        return [
            "arms",
            "draw_tokens",
        ], f"must be at least {LEAST_TOKENS} (value {params['arms'].draw_tokens})"
    for name, question in params["arms"].questions.items():
        if isinstance(question, Question):
            continue
        if fault := question.fault(pools, image=image) or too_few_runs(question):
            return ["arms", "questions", name, fault[0]], fault[1]
    if wrong := _branch_fault(params):
        return wrong
    if lost := _lines_of_prompts(params["arms"], params["ingest"].pools):
        return lost
    own, measures, judged = (
        [*OWN_SCORES, *params["score"].extra],
        params["score"].measures(),
        params["score"].judged_names(),
    )
    for name, arm in params["arms"].arms.items():
        place = ["arms", "arms", name]
        if image:
            if fault := _image_fault(arm, params["score"].images):
                return [*place, fault[0]], fault[1]
            continue
        if unlicensed := _licence_fault(arm, params["ingest"].pools):
            return [*place, "licence"], unlicensed
        named: dict[tuple[str, ...], str] = {("by",): arm.by}
        if arm.curriculum:
            named["curriculum", "by"] = arm.curriculum.by
        for keys, by in named.items():
            if by not in [*own, *measures]:
                known = (
                    f"scores are {', '.join(own)} (further ones go under score.extra),"
                    f" measures of rules are {', '.join(measures)}"
                )
                return [*place, *keys], f"no score {by!r}; {known}"
        key = DEDUP_KEYS.get(arm.dedup)
        if key is not None and getattr(params["dedup"], key) is None:
            return (
                [*place, "dedup"],
                (
                    f"the dedup stage does not look for {arm.dedup}; add to its section"
                    f" `{key}: {{}}`"
                ),
            )
        try:
            unjudged = (
                []
                if isinstance(arm.rules, bool)
                else [rule for rule in named_rules(arm.rules) if rule not in judged]
            )
        except InputError as error:
            return [*place, "rules"], str(error)
        if unjudged:
            return (
                [*place, "rules"],
                (
                    f"the rule {unjudged[0]} is not judged by the score stage; it"
                    f" judges {', '.join(judged) or 'none'} (score.rules)"
                ),
            )
    return None


def _target_fault(target: Target, pools: dict[str, Pool]) -> tuple[str, str] | None:
    """A pool that the target names and that is not there: the key and the fault."""
    stated = target.pool_tokens
    for key, named in (
        ("pool_tokens", stated if isinstance(stated, dict) else {}),
        ("generation_flops_per_token", target.generation_flops_per_token),
    ):
        if unknown := [name for name in named if name not in pools]:
            return key, f"no pool {unknown[0]!r}; pools are {', '.join(pools)}"
    return None


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


def _branch_fault(params: dict[str, Any]) -> tuple[list[str], str] | None:
    """What a question about branches cannot have: the keys and the fault."""
    if not branches_asked(params):
        return None
    # the trainer's shapes, which a project without such a question does not depend on
    from stages.faults.branch_faults import branch_fault

    return branch_fault(params)


def _lines_of_prompts(
    arms: ArmsParams, pools: dict[str, Pool]
) -> tuple[list[str], str] | None:
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


def too_few_runs(question: Designed) -> tuple[str, str] | None:
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


def _image_fault(arm: Arm, scoring: ImageScoring | None) -> tuple[str, str] | None:
    """What an arm of images cannot have: the key and why."""
    scores = [*OWN_SCORES, *(scoring or ImageScoring()).metrics]
    if arm.by not in scores:
        return (
            "by",
            (
                f"no score {arm.by!r}; scores of images are {', '.join(scores)}"
                " (score.images.metrics)"
            ),
        )
    if arm.dedup not in ("none", "exact", "near"):
        return (
            "dedup",
            (
                "images are searched for exact copies only; choose none or exact"
                f" (value {arm.dedup!r})"
            ),
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
