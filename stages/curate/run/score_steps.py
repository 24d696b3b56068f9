"""Steps that give each document a number that the user asked for (the kinds of curation/score_kinds).

Question: what is each document worth? Input: a section of `scores` and, where it was fitted, its
model. Output: a step with one column, that drops what lies below `keep_above` or above
`keep_below`. A document without a number stays. Cost: each score; see the module behind it.
"""

from pathlib import Path

import polars as pl

from stages.curate.work.steps import Step, Verdicts
from stages.curation.score_kinds.kind import CurateScore, Cut
from stages.foundation.errors import InputError


def score_step(name: str, asked: CurateScore, models: Path | None) -> Step:
    """The step of one section of `scores`; without `models` it can only say what it asks for."""
    scorer = asked.scorer(None if models is None else models / name)

    def judged(frame: pl.DataFrame) -> Verdicts:
        try:
            score = scorer(frame).cast(pl.Float64).fill_nan(None)
        except InputError as error:
            raise InputError(f"scores.{name}: {error}") from None
        return Verdicts(pl.DataFrame({name: score}), cut_fails(name, score, asked))

    return Step(
        name,
        reasons=tuple(cut_limits(name, asked)),
        measures={name: pl.Float64},
        judge=judged,
        survivors_only=True,
        limits=cut_limits(name, asked),
    )


def cut_limits(name: str, asked: Cut) -> dict[str, str]:
    """Reason -> what it asks for."""
    limits = {}
    if asked.keep_above is not None:
        limits[f"low_{name}"] = f"{name} at least {asked.keep_above}"
    if asked.keep_below is not None:
        limits[f"high_{name}"] = f"{name} at most {asked.keep_below}"
    return limits


def cut_fails(name: str, score: pl.Series, asked: Cut) -> pl.DataFrame:
    """One boolean column a reason; a document without a number fails none."""
    fails = {}
    if asked.keep_above is not None:
        fails[f"low_{name}"] = score < asked.keep_above
    if asked.keep_below is not None:
        fails[f"high_{name}"] = score > asked.keep_below
    return pl.DataFrame(
        {reason: failed.fill_null(False) for reason, failed in fails.items()}
    )
