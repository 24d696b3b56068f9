"""Settings of scores that compare documents in a space, and that space."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from stages.curation.score_kinds.kind import PipelineScore, Sources

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

WHOLE_POOL = (
    "it holds all texts and compares them with a reference at once; use score.extra of"
    " the pipeline"
)


class Training(PipelineScore):
    """A proxy that is trained for a score."""

    size: str = Field("25k", description="a rung of the ladder of proxies")
    tokens: int = Field(262_144, ge=4_096, description="tokens that it is trained on")
    context: int = Field(128, ge=8, le=65_536)


class Embedded(Training):
    """How pool and reference are embedded; size, tokens and context are those of the proxy, if it is one."""

    embed: Literal["words", "proxy"] = Field(
        "words",
        description="hashed words, or hidden states of a proxy trained on the pool",
    )
    model: str | None = Field(
        None, description="folder of a sentence-transformers model, in place of both"
    )

    def input_files(self) -> list[str]:
        return [self.model] if self.model is not None else []

    def reads_pack(self) -> bool:
        return self.embed == "proxy" and self.model is None

    def embeddings(
        self, pool: "pl.DataFrame", reference: "pl.DataFrame", sources: Sources
    ) -> "tuple[np.ndarray, np.ndarray]":
        """Pool (n, d) and reference (m, d) in one space."""
        if self.embed == "proxy" and not self.model:
            return sources.proxies.embeddings(
                pool,
                reference,
                seed=sources.seed,
                size=self.size,
                tokens=self.tokens,
                context=self.context,
            )
        from stages.curation.vectors.embeddings import (
            embedded,
            hashed_words,
            sentence_model,
        )

        texts = [*pool["text"], *reference["text"]]
        both = (
            embedded(sentence_model(self.model), texts)
            if self.model
            else hashed_words(texts, seed=sources.seed)
        )
        return both[: pool.height], both[pool.height :]
