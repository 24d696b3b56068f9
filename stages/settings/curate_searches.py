"""Settings of what looks at all of the input: semantic copies, repeated lines, and which scores cut and choose.

Every number that a document gets can be cut at a value (`keep_above`, `keep_below`) or at the share of the input that
stays (`keep`), and can choose among copies (`dedup.keep`, `semantic.keep`).
"""

from typing import Any, Literal

from pydantic import Field, model_validator

from stages.curation.duplicates.settings import MIN_CHARS
from stages.curation.score_kinds.kind import Cut
from stages.foundation import artefacts
from stages.foundation.section import Section

SCORE_NAME = r"^[a-z][a-z0-9_]*$"
# ways to choose among semantic copies that need no score
DISTANCES = ("hard", "easy", "random")


class RepeatSettings(Section):
    """Lines (or paragraphs) that occur more than once in what is left of the input."""

    min_chars: int = Field(MIN_CHARS, ge=1, description="shorter ones are left alone")
    min_copies: int = Field(
        2, ge=2, description="one that occurs less often is left alone"
    )
    keep: Literal["first", "none"] = Field(
        "first",
        description=(
            "the occurrence that stays; none takes out all of them, as boilerplate"
        ),
    )
    cut: bool = Field(
        True, description="take them out of the text; false only counts them"
    )
    drop_above: float | None = Field(
        None,
        gt=0,
        le=1,
        description=(
            "a document with a larger share of its characters in them is dropped whole"
        ),
    )


class SemanticSettings(Section):
    """SemDeDup, and D4 where keep_diverse is set."""

    embed: Literal["words", "column", "sentence", "proxy"] = Field(
        "words",
        description=(
            "hashed words, a column of vectors, a saved model, one of our proxies"
        ),
    )
    column: str | None = Field(
        None,
        description=(
            "embed: column: the column or key with a list of numbers, also named in"
            " extra"
        ),
    )
    folder: str | None = Field(
        None, description="embed: sentence or proxy: where the model was saved"
    )
    tokenizer: str = Field(
        artefacts.TOKENIZER,
        description="embed: proxy: the tokenizer it was trained with",
    )
    eps: float = Field(0.02, ge=0, le=2, description="1 minus the cosine of two copies")
    keep: str = Field(
        "hard",
        description=(
            "which copy stays: hard (farthest from the centre), easy, random, longest,"
            " or the best by a score"
        ),
    )
    clusters: int | None = Field(
        None,
        ge=1,
        description=(
            "only documents of one cluster are compared; default the root of their"
            " number"
        ),
    )
    keep_diverse: float | None = Field(
        None,
        gt=0,
        lt=1,
        description=(
            "D4: then the share of documents that stays, farthest from new centres"
            " first"
        ),
    )
    dimensions: int = Field(128, ge=2, le=1024, description="embed: words: columns")
    sample_chars: int = Field(
        10_000_000,
        ge=10_000,
        description=(
            "embed: words: characters, drawn by hash, that the space is fitted to"
        ),
    )
    device: str = Field(
        "auto",
        description=(
            "cpu, cuda or another torch device that every worker has; auto: on a GPU"
            " where one core would need longer than a card takes to begin"
        ),
    )
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _one_source(self) -> "SemanticSettings":
        for name, users in (("column", ("column",)), ("folder", ("sentence", "proxy"))):
            if (getattr(self, name) is not None) != (self.embed in users):
                raise ValueError(
                    f"embed: {self.embed}"
                    f" {'needs' if self.embed in users else 'has no use for'} the key"
                    f" {name}; see embed"
                )
        return self


def score_list(settings: Any) -> dict[str, Any]:
    """Column -> section of every score of these settings, in the order in which they are cut at a share."""
    named = {"quality": settings.quality, "own_score": settings.scorer}
    return {
        name: part for name, part in named.items() if part is not None
    } | settings.scores


def shares(settings: Any) -> dict[str, Cut]:
    """Column -> section of the scores that are cut at a share."""
    return {
        name: part
        for name, part in score_list(settings).items()
        if part.keep is not None
    }


def chooses(settings: Any, keep: str) -> bool:
    """Whether copies can be chosen among by this: their length or a score."""
    return keep == "longest" or keep in score_list(settings)
