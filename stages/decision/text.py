"""The decision record in words: one sentence, a short markdown, and what `assay run` prints at its end."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

from stages.decision.at_budgets import Crossing, Target, Worth
from stages.decision.record import DecisionRecord, QuestionFit, TableRow
from stages.presentation.metric_words import metric_unit, metric_words
from stages.presentation.numbers import interval_text

WORDS = {
    "quality": {"high": "best", "low": "worst", "middle": "middle"},
    "difficulty": {"high": "hardest", "low": "easiest", "middle": "middle"},
}
DEDUP = {
    "near": "",
    "none": ", duplicates included",
    "exact": ", exact duplicates removed",
    "words": ", duplicates of the same words removed",
    "bands": ", joined by one shared band",
    "semantic": ", semantic duplicates removed",
    "lines": ", repeated lines removed",
}


def arm_label(name: str, arm: dict[str, Any]) -> str:
    """What an arm does, in words: `keep the best 20 %`, `keep everything`."""
    if arm["upweight"] is not None:
        text = f"upweight {part_label(arm)} to {100 * arm['upweight']:g} % of training"
    else:
        text = "keep everything" if arm["keep"] == 1 else f"keep {part_label(arm)}"
    if arm.get("mixture"):
        mix = "train on " + ", ".join(
            f"{100 * share:g} % {pool}" for pool, share in arm["mixture"].items()
        )
        text = mix if arm["keep"] == 1 else f"{mix}, and of these {text}"
    if uses := arm.get("uses"):
        text = (
            f"use tiers of quality {', '.join(f'{n:g}' for n in uses.values())} times"
        )
    licence = f", licence {' or '.join(names)}" if (names := arm.get("licence")) else ""
    beside = ""
    if replay := arm.get("replay"):
        beside = f", with {100 * replay['share']:g} % replay"
    if curriculum := arm.get("curriculum"):
        beside += (
            f", in {curriculum['stages']} stages from {curriculum['first']} to"
            f" {'low' if curriculum['first'] == 'high' else 'high'} {curriculum['by']}"
        )
    return text + DEDUP[arm["dedup"]] + rules_label(arm["rules"]) + licence + beside


def rules_label(rules: bool | str | list[str]) -> str:
    """`, after the rules`, or after those that are named."""
    if isinstance(rules, bool):
        return ", after the rules" if rules else ""
    return f", after {rules if isinstance(rules, str) else ', '.join(rules)}"


def part_label(arm: dict[str, Any]) -> str:
    """The part of the documents that an arm selects: `the best 20 %`, `the 20 % highest in perplexity`."""
    percent, by = f"{100 * arm['keep']:g} %", arm["by"]
    if arm["take"] == "random":
        return f"a random {percent}"
    if by in WORDS:
        return f"the {WORDS[by][arm['take']]} {percent}"
    return (
        f"the middle {percent} by {by}"
        if arm["take"] == "middle"
        else f"the {percent} {arm['take']}est in {by}"
    )


def check_text(fitted: QuestionFit) -> str:
    """The held-out check in a sentence, with the level of the intervals that it counts in."""
    check = fitted.holdout
    words = metric_words(metric_unit(fitted.metric))
    unit = f" {words.difference_unit}" if words.value == "loss" else ""
    return (
        f"Fitted below {check.from_flops:.2g} FLOPs, the law predicts the"
        f" {check.n} runs at and above it with a mean error of"
        f" {100 * check.mape:.2f} % (bias {check.bias:+.3f}{unit});"
        f" {100 * check.coverage:.0f} % of them lie in their"
        f" {100 * fitted.law.level:.0f} % interval."
    )


def settled_stretches(
    flips: Sequence[Crossing], targets: Sequence[Target]
) -> list[bool]:
    """For each stretch between flips, whether a target inside it is decided or a tie; all without targets."""
    ends = [0.0, *(flip.flops for flip in flips), math.inf]
    inside = [
        [target for target in targets if low <= target.flops < high]
        for low, high in itertools.pairwise(ends)
    ]
    return [
        not targets or any(target.status in ("decided", "tie") for target in own)
        for own in inside
    ]


def sentence(
    path: Sequence[str],
    flips: Sequence[Crossing],
    labels: dict[str, str],
    status: str,
    targets: Sequence[Target] = (),
) -> str:
    """The answer: which arm up to which budget. `path` has one arm more than there are flips.

    A stretch in which no target is decided or a tie is said to be not settled, with the arm that is nearest.
    """
    named = [
        labels[arm] if settled else f"not settled (nearest: {labels[arm]})"
        for arm, settled in zip(path, settled_stretches(flips, targets), strict=True)
    ]
    if status != "decided":
        named = [labels[arm] for arm in path]
    if not flips:
        said = f"{named[0]} at every budget searched"
    else:
        *before, last = named
        parts = [
            f"{name} up to {interval_text(flip)}"
            for name, flip in zip(before, flips, strict=True)
        ]
        said = ", then ".join(parts) + f", above that {last}"
    said = said[0].upper() + said[1:]
    lead = {
        "decided": "",
        "tie": "A tie: no arm is worth more than the noise. Nearest: ",
        "insufficient_evidence": "Not settled by these runs. Nearest: ",
        "extrapolating": "Beyond what was measured. Nearest: ",
    }[status]
    return lead + (said if not lead else said[0].lower() + said[1:]) + "."


NEAREST = {
    "decided": "",
    "tie": "A tie, nearest: ",
    "insufficient_evidence": "Not settled, nearest: ",
    "extrapolating": "Beyond what was measured, nearest: ",
}


def headline(decision: DecisionRecord) -> str:
    """The answer in a few words: the arm of the target or, without one, the arms that take turns."""
    if at := decision.target:
        status, said = at.status, f"{decision.labels[at.best]}, for the target"
    else:
        status, flips = decision.status, decision.crossovers
        arms = [flip.first for flip in flips] + [flip.second for flip in flips[-1:]]
        first, *others = [decision.labels[arm] for arm in arms] or [
            decision.labels[decision.targets[0].best]
        ]
        said = f"{first}, at every budget searched"
        if others:
            said = ", then ".join([first, *others]) + ", as the budget grows"
    lead = NEAREST[status]
    return (lead + said if lead else said[0].upper() + said[1:]) + "."


def worth_shown(decision: DecisionRecord) -> Worth | None:
    """What the best arm is worth at the target or, without one, at the largest budget that is decided."""
    if at := decision.target:
        wanted = [at.flops]
    else:
        decided = [each for each in decision.targets if each.status == "decided"]
        wanted = [max(each.flops for each in decided)] if decided else []
    found = [worth for worth in decision.worth if worth.flops in wanted]
    return found[0] if found else None


def decision_markdown(decision: DecisionRecord) -> str:
    """The record as markdown for the Prefect page."""
    law = decision.law
    lines = [
        f"## {decision.question.title}",
        f"**{decision.sentence}**",
        f"Status: {decision.status}. {decision.reason}",
        "",
        *markdown_table(decision.tables.targets),
        "",
        f"Law: {law.title} (`{law.name}`). {decision.heldout_check.text}",
    ]
    return "\n".join(lines)


def markdown_table(rows: Sequence[TableRow]) -> list[str]:
    """The lines of a table; keys that begin with _ are not shown."""
    keys = [key for key in rows[0] if not key.startswith("_")]
    lines = ["| " + " | ".join(keys) + " |", "|" + "---|" * len(keys)]
    return lines + [
        "| " + " | ".join(_cell(row[key]) for key in keys) + " |" for row in rows
    ]


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
