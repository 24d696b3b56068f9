"""The decision record in words: one sentence, a short markdown, and what `assay run` prints at its end."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

from stages.decision.record import (
    Crossing,
    DecisionRecord,
    QuestionFit,
    Target,
    read_decisions,
)
from stages.foundation import artefacts
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
    licence = f", licence {' or '.join(names)}" if (names := arm.get("licence")) else ""
    return text + DEDUP[arm["dedup"]] + rules_label(arm["rules"]) + licence


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


def decision_markdown(decision: DecisionRecord) -> str:
    """The record as markdown for the Prefect page."""
    rows = decision.tables.targets
    keys = [key for key in rows[0] if not key.startswith("_")]
    lines = [
        f"## {decision.question.title}",
        f"**{decision.sentence}**",
        f"Status: {decision.status}. {decision.reason}",
        "",
        "| " + " | ".join(keys) + " |",
        "|" + "---|" * len(keys),
    ]
    lines += ["| " + " | ".join(_cell(row[key]) for key in keys) + " |" for row in rows]
    law = decision.law
    lines += [
        "",
        f"Law: {law.title} (`{law.name}`). {decision.heldout_check.text}",
    ]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def printed_decisions() -> str:
    """Every decision's title, sentence and status."""
    return "\n".join(
        f"\n{decision.question.title}\n  {decision.sentence}\n  status:"
        f" {decision.status}. {decision.reason}"
        for decision in read_decisions(artefacts.DECISIONS)
    )
