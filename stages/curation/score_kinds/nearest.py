"""Likeness to the reference by turns (RDS+): high = near to one of its documents."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from stages.curation.score_kinds.embedded import WHOLE_POOL, Embedded
from stages.curation.score_kinds.kind import ScoreKind, Sources

if TYPE_CHECKING:
    import numpy as np


class PipelineNearest(Embedded):
    kind: Literal["nearest"]
    queries: int = Field(
        200,
        ge=1,
        description=(
            "reference documents that take turns, drawn by hash; pools of the reference"
            " have equal turns"
        ),
    )

    def values(self, sources: Sources) -> "np.ndarray":
        from stages.curation.reading.documents import uniform
        from stages.curation.scores.rds_plus import cosines, round_robin_scores

        pool, reference = sources.pool.whole(), sources.reference.whole()
        drawn = uniform(sources.seed, reference["id"], "query")
        queries = reference.with_columns(_u=drawn).sort("_u").head(self.queries)
        documents, targets = self.embeddings(pool, queries, sources)
        return round_robin_scores(
            cosines(targets, documents), tasks=queries["pool"].to_list()
        )


KIND = ScoreKind(pipeline=PipelineNearest, curate=WHOLE_POOL)
