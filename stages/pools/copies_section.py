"""The parts `semantic` and `lines` of the section `dedup`, without the searches that they ask for."""

from typing import Literal

from pydantic import Field, model_validator

from stages.curation.duplicates.settings import LAST_EPS, MIN_CHARS
from stages.foundation import artefacts
from stages.foundation.section import Section

# for hashed words; measured on the demo: drops 8 % of its documents, 0.05 drops 19 %, by then short
# tweets of one topic
EPS = 0.02


TOKENIZER = artefacts.TOKENIZER


class SemanticParams(Section):
    eps: float | None = Field(
        None,
        ge=0,
        le=LAST_EPS,
        description=(
            f"documents of cosine at least 1 - eps are copies; {EPS} where neither is"
            " given"
        ),
    )
    drop_fraction: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="find the eps that drops this fraction of the documents",
    )
    keep_first: Literal["hard", "easy", "random"] = Field(
        "hard",
        description=(
            "which of two copies stays: farthest from its cluster's centre, nearest, by"
            " hash"
        ),
    )
    clusters: int | None = Field(
        None,
        ge=1,
        description=(
            "clusters that copies are sought in; null: the square root of the documents"
        ),
    )
    model: str | None = Field(
        None,
        description="folder of a sentence-transformers model, in place of hashed words",
    )
    reader: str | None = Field(
        None, description="folder of a trained proxy, in place of hashed words"
    )
    device: str = Field(
        "auto",
        pattern="^(auto|cpu|cuda)$",
        description=(
            "where rows are compared, and where a model or reader reads; auto: on a GPU"
            " where one core would need longer than a card takes to begin"
        ),
    )

    @model_validator(mode="after")
    def _one_of_each(self) -> "SemanticParams":
        for left, right in (("eps", "drop_fraction"), ("model", "reader")):
            if getattr(self, left) is not None and getattr(self, right) is not None:
                raise ValueError(f"give {left} or {right}, not both")
        return self

    def files(self) -> list[str]:
        """What the embeddings read, for DVC."""
        return [folder for folder in (self.model, self.reader) if folder] + (
            [TOKENIZER] if self.reader else []
        )

    def threshold(self) -> float | None:
        """The eps of the search; None where `drop_fraction` sets it."""
        if self.drop_fraction is not None:
            return None
        return EPS if self.eps is None else self.eps


class LineParams(Section):
    unit: Literal["line", "paragraph"] = "line"
    min_chars: int = Field(
        MIN_CHARS, ge=1, description="shorter ones are left alone: a bracket is no copy"
    )
