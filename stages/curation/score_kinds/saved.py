"""What a saved model says: a quality classifier (a chance) or an n-gram model (mean nats)."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from stages.curation.score_kinds.kind import (
    CurateScore,
    PipelineScore,
    ScoreKind,
    Scorer,
    Sources,
)


class PipelineSaved(PipelineScore):
    kind: Literal["saved"]
    folder: str = Field(
        description="a saved quality classifier or n-gram model",
        examples=["models/ngram"],
    )

    def input_files(self) -> list[str]:
        return [self.folder]

    def scorer(self, sources: Sources) -> Scorer:
        if is_ngram(self.folder):
            return ngram_scorer(self.folder)
        from stages.curation.scores.quality_card import load_quality

        quality = load_quality(self.folder)
        return lambda frame: quality.score(frame)["score"]


class CurateSaved(CurateScore):
    """A quality classifier (a chance) or an n-gram model (nats; set take: low) that was saved before."""

    kind: Literal["saved"]
    folder: str = Field(examples=["models/ngram"])

    def model_folders(self) -> list[str]:
        return [self.folder]

    def scorer(self, folder: Path | None) -> Scorer:
        if is_ngram(self.folder):
            return ngram_scorer(self.folder)
        from stages.curation.scores.quality_card import load_quality

        classifier = load_quality(self.folder).model
        return lambda frame: classifier.score(frame.with_columns(parent="id"))["score"]


def is_ngram(folder: str) -> bool:
    from stages.curation.scores.model_card import read_card
    from stages.curation.scores.ngram_model import KIND as NGRAM

    return read_card(folder)["kind"] == NGRAM


def ngram_scorer(folder: str) -> Scorer:
    """Mean nats of every document that has a token."""
    from stages.curation.scores.ngram_model import load_ngram
    from stages.curation.scores.perplexity import score_documents

    model = load_ngram(folder)[0]
    return lambda frame: score_documents(model, frame, 1)["nats"]


KIND = ScoreKind(pipeline=PipelineSaved, curate=CurateSaved)
