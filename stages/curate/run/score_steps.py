"""Steps that give each document a number of its own choosing: n-grams, saved models, functions,
columns.

Question: what is each document worth? Input: a section of `scores` and, where it was fitted, its
model. Output: a step with one column, that drops what lies below `keep_above` or above
`keep_below`. A document without a number stays. Cost: each score; see the module behind it.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from stages.curate.run.fitted import in_first_half, load_ngrams
from stages.curate.work.steps import Step, Verdicts
from stages.curation.scores.model_card import read_card
from stages.curation.scores.ngram_model import KIND as NGRAM
from stages.curation.scores.ngram_model import load_ngram
from stages.curation.scores.own_scores import function_scores
from stages.curation.scores.perplexity import score_documents
from stages.curation.scores.quality_card import load_quality
from stages.foundation.errors import InputError
from stages.settings.curate_searches import (
    ColumnScore,
    Cut,
    FunctionScore,
    NgramScore,
    Score,
)

Scorer = Callable[[pl.DataFrame], pl.Series]


def score_step(name: str, asked: Score, models: Path | None) -> Step:
    """The step of one section of `scores`; without `models` it can only say what it asks for."""
    scorer = _scorer(asked, None if models is None else models / name)

    def judged(frame: pl.DataFrame) -> Verdicts:
        try:
            score = scorer(frame).cast(pl.Float64).fill_nan(None)
        except InputError as error:
            raise InputError(f"scores.{name}: {error}") from None
        return Verdicts(pl.DataFrame({name: score}), cut_fails(name, score, asked))

    return Step(
        name,
        tuple(cut_limits(name, asked)),
        {name: pl.Float64},
        judged,
        survivors_only=True,
        limits=cut_limits(name, asked),
    )


def cut_limits(name: str, asked: Cut) -> dict[str, str]:
    """Reason -> what it asks for."""
    limits = (
        {f"low_{name}": f"{name} at least {asked.keep_above}"}
        if asked.keep_above is not None
        else {}
    )
    return limits | (
        {f"high_{name}": f"{name} at most {asked.keep_below}"}
        if asked.keep_below is not None
        else {}
    )


def cut_fails(name: str, score: pl.Series, asked: Cut) -> pl.DataFrame:
    """One boolean column a reason."""
    fails = (
        {f"low_{name}": score < asked.keep_above}
        if asked.keep_above is not None
        else {}
    )
    fails |= (
        {f"high_{name}": score > asked.keep_below}
        if asked.keep_below is not None
        else {}
    )
    return pl.DataFrame(
        {reason: failed.fill_null(False) for reason, failed in fails.items()}
    )


def _scorer(asked: Score, folder: Path | None) -> Scorer:
    match asked:
        case NgramScore():
            return _ngram_scorer(asked, folder)
        case FunctionScore():
            return lambda frame: pl.Series(
                function_scores(frame["text"], asked.function)
            )
        case ColumnScore():
            return lambda frame: _column(frame, asked.column)
    return _saved_scorer(asked.folder)


def _ngram_scorer(asked: NgramScore, folder: Path | None) -> Scorer:
    models = load_ngrams(folder) if folder else []

    def score(frame: pl.DataFrame) -> pl.Series:
        if len(models) == 1:
            return score_documents(models[0], frame, asked.min_tokens)["nats"]
        first = in_first_half(frame, asked.seed)
        values = np.full(frame.height, np.nan)
        for model, side in zip(
            models, (~first, first), strict=True
        ):  # who was read by the one is scored by the other
            values[side] = (
                score_documents(model, frame.filter(side), asked.min_tokens)["nats"]
                .cast(pl.Float64)
                .to_numpy()
            )
        return pl.Series(values)

    return score


def _saved_scorer(folder: str) -> Scorer:
    if read_card(folder)["kind"] == NGRAM:
        model = load_ngram(folder)[0]
        return lambda frame: score_documents(model, frame, 1)["nats"]
    classifier = load_quality(folder).model
    return lambda frame: classifier.score(frame.with_columns(parent="id"))["score"]


def _column(frame: pl.DataFrame, column: str) -> pl.Series:
    """The numbers of an extra column; null where the row has none."""
    values = frame[column].cast(pl.Float64, strict=False)
    if (
        bad := frame.filter(
            frame[column].is_not_null()
            & (values.is_null() | ~values.is_finite().fill_null(True))
        )
    ).height:
        raise InputError(
            f"{bad['source'][0]}: column {column!r} holds {bad[column][0][:30]!r}, not"
            " a number; mend the row"
        )
    return values
