"""What a document does for the optimal transport of the pool to the reference: high = moves it there."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from stages.curation.score_kinds.embedded import WHOLE_POOL, Embedded
from stages.curation.score_kinds.kind import ScoreKind, Sources
from stages.curation.scores.settings import MAX_POINTS

if TYPE_CHECKING:
    import numpy as np


class PipelineTransport(Embedded):
    kind: Literal["transport"]
    max_points: int = Field(
        MAX_POINTS,
        ge=10,
        description="documents of a side that the transport problem is solved for",
    )

    def values(self, sources: Sources) -> "np.ndarray":
        from stages.curation.scores.transport import transport_scores

        pool, reference = sources.pool.whole(), sources.reference.whole()
        documents, targets = self.embeddings(pool, reference, sources)
        return transport_scores(
            documents, targets, max_points=self.max_points, seed=sources.seed
        )


KIND = ScoreKind(pipeline=PipelineTransport, curate=WHOLE_POOL)
