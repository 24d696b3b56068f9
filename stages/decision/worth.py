"""What the best arm of each target budget is worth in compute of the arm that keeps everything, for the record."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from stages.decision.at_budgets import Crossing, Target, Worth
from stages.decision.verdict import ROUNDING
from stages.laws.choosing.averaged import Prediction
from stages.laws.deciding.crossover import Crossovers
from stages.laws.deciding.path import ArmColumns
from stages.laws.deciding.worth import worths
from stages.presentation.worth_words import worth_text
from stages.target.target import Target as TargetRun
from stages.target.target import is_budget_of


def keeps_everything(arm: Mapping[str, Any]) -> bool:
    """Whether an arm takes the pool as it is. arm: its settings."""
    weighed = arm["upweight"] or arm["mixture"] or arm.get("uses")
    return arm["keep"] == 1 and not weighed


def baseline_of(
    names: Sequence[str],
    arms: Mapping[str, Mapping[str, Any]],
    columns: ArmColumns,
    named: str | None = None,
) -> str | None:
    """The arm named, else the one that keeps everything, of several the one of most different tokens; None without one.

    names: arms of the question; a name that is not among them belongs to another question.
    """
    if named in names:
        return named
    whole = [name for name in names if keeps_everything(arms[name])]
    return max(
        whole, key=lambda name: columns[name].get("n_tokens_unique", 0.0), default=None
    )


def worth_records(
    boot: Prediction,
    targets: Sequence[Target],
    columns: ArmColumns,
    *,
    baseline: str | None,
    found: Crossovers,
    n_params: float,
    level: float,
    labels: Mapping[str, str],
    target: TargetRun | None = None,
) -> list[Worth]:
    """One record a budget, with its sentence; found: the crossings searched; target: the run decided for."""
    made = worths(
        boot,
        targets,
        columns,
        baseline=baseline,
        found=found,
        n_params=n_params,
        level=level,
    )
    return [
        Worth(
            **asdict(each)
            | {"until": Crossing(**asdict(each.until)) if each.until else None},
            text=worth_text(each, labels, where=_where(each.flops, target)) + ".",
        )
        for each in made
    ]


def _where(flops: float, target: TargetRun | None) -> str:
    return "the target" if target and is_budget_of(target, flops) else ""


def spoken_worth(
    worth: Sequence[Worth], reach: float, target: TargetRun | None = None
) -> str:
    """The sentence for the headline: of the target, else of the largest budget within what was measured or the least.

    reach: the largest measured compute, FLOPs. Empty where nothing is compared.
    """
    if not worth:
        return ""
    inside = [each for each in worth if each.flops <= reach * ROUNDING]
    spoken = max(inside, key=lambda each: each.flops) if inside else worth[0]
    if target is not None:
        spoken = next(each for each in worth if is_budget_of(target, each.flops))
    return " " + spoken.text[0].upper() + spoken.text[1:]
