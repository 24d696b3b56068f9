"""What one of the project's own proxies says of a document: a difficulty, high = hard to predict."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from stages.curation.score_kinds.embedded import Training
from stages.curation.score_kinds.kind import ScoreKind, Sources

if TYPE_CHECKING:
    import numpy as np


class PipelineProxy(Training):
    kind: Literal["proxy"]
    measure: Literal["nats", "el2n", "gradient"] = Field(
        "nats",
        description=(
            "mean loss a token, EL2N, or the norm of the document's gradient (GraNd)"
        ),
    )
    train_on: Literal["reference", "pool"] = "reference"
    min_tokens: int = Field(8, ge=1)

    def reads_pack(self) -> bool:
        return True

    def values(self, sources: Sources) -> "np.ndarray":
        return sources.proxies.difficulty(
            sources.pool.columns("id", "parent"),
            sources.reference.whole(),
            seed=sources.seed,
            **self.model_dump(exclude={"kind"}),
        )


KIND = ScoreKind(
    pipeline=PipelineProxy,
    curate="a proxy is trained on packed pools; use score.extra of the pipeline",
)
