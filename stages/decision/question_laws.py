"""Which law a question's fit may use, by name, and which controls are fitted as its arms are."""

from typing import Any

from stages.laws import LAWS, Law
from stages.laws.repetition.half_life import half_life

# the half-life law over the quality tiers of the pool, with model size
MIXTURE = "half_life_mix"
JUDGE = "judge "  # before the name of a judge: its prediction among the refits of a question


def law_named(name: str, tiers: list[str]) -> Law:
    """A law by name; the mixture is made for the tiers of the pool."""
    return (
        half_life(tiers, sized=True)
        if name in (MIXTURE, half_life(tiers, sized=True).name)
        else LAWS[name]
    )


def twins(arms: dict[str, Any], names: list[str]) -> dict[str, str]:
    """Controls that are the same data as an arm of the question: control -> arm. They are fitted like any arm."""
    return {
        name: control["like"]
        for name, control in arms["controls"].items()
        if control["kind"] == "same" and control["like"] in names
    }
