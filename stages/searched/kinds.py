"""Kinds of question whose answer is searched for, and what a project without one does not need."""

from collections.abc import Mapping, Sequence
from typing import Any

MIXTURE_KIND, CURVES_KIND = "mixture", "upsampling"  # keys `kind` of questions
PARTS = (
    "stages.pools.topic_clusters",
    "stages.mixtures",
    "stages.proxy.specs.shape",
    "stages.searched.designed",
    "stages.searched.mixture",
    "stages.searched.swarm",
    "stages.searched.upsampling",
    "stages.verification.searched",
    "stages.verification.searched_views",
    "stages.verification.swarm_claim",
)
# of questions about branches, reached in functions alone
OF_BRANCHES = (
    "stages.faults.branch_faults",
    "stages.proxy.specs.checkpoint_file",
    "stages.proxy.specs.layout",
    "stages.proxy.specs.shape",
    "stages.settings.model_forms",
)


def is_searched(question: Mapping[str, Any]) -> bool:
    """Whether the answer is searched for, not chosen among named arms. question: of data/arms/arms.json."""
    return "kind" in question


def unused_without_searches(params: Mapping[str, Any]) -> Sequence[str]:
    """Parts that a stage does not reach where every question is between named arms. params: every section."""
    kinds = {question.kind for question in params["arms"].questions.values()}
    used: set[str] = set()
    if kinds & {MIXTURE_KIND, CURVES_KIND}:
        used |= {*PARTS}
    if branches_asked(params):
        used |= {*OF_BRANCHES}
    return [part for part in sorted({*PARTS, *OF_BRANCHES}) if part not in used]


def branches_asked(params: Mapping[str, Any]) -> bool:
    """Whether a question is about branches of a trunk. params: every section."""
    questions = params["arms"].questions.values()
    return any(getattr(question, "branch", None) for question in questions)
