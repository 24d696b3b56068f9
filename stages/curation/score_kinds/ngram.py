"""Mean nats a token under an n-gram model: a difficulty, high = hard to predict.

In the pipeline the model reads the reference, or two models each score the half of the pool that the other has
read. `assay curate` fits the same before it judges, on reference files or on a hash sample of the input.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from stages.curation.reading.rows import Columns
from stages.curation.score_kinds.kind import (
    CurateScore,
    PipelineScore,
    Sample,
    ScoreKind,
    Scorer,
    Sources,
)
from stages.foundation.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from stages.curation.scores.ngram_model import NgramModel


class PipelineNgram(PipelineScore):
    kind: Literal["ngram"]
    unit: Literal["word", "character"] = "word"
    order: int = Field(3, ge=1, le=8, description="words or characters of an n-gram")
    train_on: Literal["reference", "pool"] = Field(
        "reference",
        description=(
            "what the model has read; pool: each half is scored by the other's model"
        ),
    )
    train_chars: int = Field(50_000_000, ge=10_000)
    min_tokens: int = Field(
        8, ge=1, description="shorter documents have no score and come last"
    )

    def scorer(self, sources: Sources) -> Scorer:
        from stages.curation.scores.perplexity import Perplexity, fit_perplexity

        settings = Perplexity(**self.model_dump(exclude={"kind"}), seed=sources.seed)
        fitted = fit_perplexity(sources.pool, sources.reference, settings)
        return lambda frame: fitted.score(frame)["nats"]


class CurateNgram(CurateScore):
    """Mean nats a word under an n-gram model: low is like what the model has read."""

    kind: Literal["ngram"]
    reference: list[str] = Field(
        [],
        description=(
            "files that the model reads; none: a hash sample of the input, each half"
            " scored by the other's model"
        ),
    )
    text: str = Field("text", description="their column or key that holds the text")
    unit: Literal["word", "character"] = "word"
    order: int = Field(3, ge=1, le=8, description="words or characters of an n-gram")
    min_tokens: int = Field(
        8,
        ge=1,
        description=(
            "shorter documents have no score: no cut at a value drops them, and they"
            " come last"
        ),
    )
    train_chars: int = Field(
        5_000_000,
        ge=10_000,
        description=(
            "characters that it reads; a model of 5 million takes 30 MB in each worker"
            " (measured)"
        ),
    )
    seed: int = Field(0, ge=0)
    take: Literal["high", "low"] = "low"

    def text_files(self) -> list[str]:
        return self.reference

    def fit(self, sample: Sample, folder: Path) -> None:
        """One model of the reference; or one of each half of a sample of the input."""
        sides = ("reference",) if self.reference else ("0", "1")
        if all((folder / side).exists() for side in sides):
            return
        from stages.curation.scores.ngram_model import Ngram, train_ngram

        parts = [self._reference()] if self.reference else self._halves(sample)
        model = Ngram(unit=self.unit, order=self.order)
        for side, part in zip(sides, parts, strict=True):
            train_ngram(part, model).save(folder / side, {})

    def _reference(self):
        from stages.curation.reading.ordered_pool import HeldPool
        from stages.curation.reading.readers import read_all
        from stages.curation.scores.perplexity import Perplexity, sampled_texts

        texts = read_all(self.reference, "reference", columns=Columns(text=self.text))
        settings = Perplexity(train_chars=self.train_chars, seed=self.seed)
        return sampled_texts(HeldPool(texts), settings)

    def _halves(self, sample: Sample) -> "list[pl.Series]":
        import polars as pl

        drawn = sample(2 * self.train_chars, self.seed).sort("id")
        first = pl.Series(in_first_half(drawn, self.seed), dtype=pl.Boolean)
        halves = [drawn.filter(side)["text"] for side in (first, ~first)]
        if any(half.is_empty() for half in halves):
            raise InputError(
                f"the input of {drawn.height} documents is too small to learn from;"
                " give a reference"
            )
        return halves

    def scorer(self, folder: Path | None) -> Scorer:
        import numpy as np
        import polars as pl

        from stages.curation.scores.perplexity import score_documents

        models = load_ngrams(folder) if folder else []

        def score(frame: pl.DataFrame) -> pl.Series:
            if len(models) == 1:
                return score_documents(models[0], frame, self.min_tokens)["nats"]
            first = in_first_half(frame, self.seed)
            values = np.full(frame.height, np.nan)
            # who was read by the one is scored by the other
            for model, side in zip(models, (~first, first), strict=True):
                scored = score_documents(model, frame.filter(side), self.min_tokens)
                values[side] = scored["nats"].cast(pl.Float64).to_numpy()
            return pl.Series(values)

        return score


def load_ngrams(folder: Path) -> "list[NgramModel]":
    """The model of the reference, or those of the two halves."""
    from stages.curation.scores.ngram_model import load_ngram

    return [
        load_ngram(side)[0]
        for side in sorted(folder.iterdir())
        if not side.name.startswith(".")
    ]


def in_first_half(frame: "pl.DataFrame", seed: int) -> "np.ndarray":
    """Which documents the first of two models may read (n,) bool."""
    from stages.curation.reading.documents import uniform

    return uniform(seed, frame["id"], "perplexity half") < 0.5


KIND = ScoreKind(pipeline=PipelineNgram, curate=CurateNgram)
