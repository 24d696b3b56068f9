"""Which law a question's fit may use, by name, which controls are fitted as its arms are, and what was fitted."""

from dataclasses import dataclass, field
from typing import Any

import polars as pl

from stages.decision.record import QuestionFit, read_question_fit
from stages.foundation import artefacts
from stages.foundation.sealed import AGAIN, read_sealed
from stages.laws import LAWS, Law
from stages.laws.choosing.averaged import Prediction
from stages.laws.choosing.record import prediction_of
from stages.laws.repetition.half_life import OVER_TIERS, half_life
from stages.laws.repetition.recipe import recipe

JUDGE = "judge "  # before the name of a judge: its prediction among the refits of a question


def law_named(name: str, tiers: list[str]) -> Law:
    """A law as `fit.laws` names it; the one over tiers is made for those of the pool, with model size."""
    return (
        half_life(tiers, sized=True) if name == OVER_TIERS else fitted_law(name, tiers)
    )


def fitted_law(name: str, tiers: list[str]) -> Law:
    """A law by its own name, as a stored fit has it: without model size the one over tiers is called OVER_TIERS too."""
    if name in LAWS:
        return LAWS[name]
    return next(law for law in tier_laws(tiers) if law.name == name)


def tier_laws(tiers: list[str]) -> list[Law]:
    """The laws over shares and repeats of quality tiers, which any curve over tiers can be asked of: an exponent for
    each tier, and a gain for each tier.
    """
    gains = recipe(tiers, shared=("beta", "tau"))
    return [half_life(tiers, sized=True), half_life(tiers), gains]


def twins(arms: dict[str, Any], names: list[str]) -> dict[str, str]:
    """Controls that are the same data as an arm of the question: control -> arm. They are fitted like any arm."""
    return {
        name: control["like"]
        for name, control in arms["controls"].items()
        if control["kind"] == "same" and control["like"] in names
    }


@dataclass(frozen=True)
class Evidence:
    """What is known of one question. rows: the runs that were fitted; rival: refits of the next-best law; judges:
    name -> its own prediction.
    """

    rows: pl.DataFrame
    fitted: QuestionFit
    boot: Prediction
    rival: Prediction | None
    judges: dict[str, Prediction] = field(default_factory=dict)


def load(name: str, tiers: list[str]) -> Evidence:
    """The fitted rows, the fit record, and the refits of the chosen law and the runner-up."""
    states = read_sealed(artefacts.fit_refits(name), AGAIN)
    boots = {
        role: prediction_of(state, lambda law: fitted_law(law, tiers))
        for role, state in states.items()
    }
    return Evidence(
        rows=pl.read_parquet(artefacts.fitted_rows(name)),
        fitted=read_question_fit(artefacts.fit_record(name)),
        boot=boots["law"],
        rival=boots.get("runner_up"),
        judges={
            role.removeprefix(JUDGE): boot
            for role, boot in boots.items()
            if role.startswith(JUDGE)
        },
    )
