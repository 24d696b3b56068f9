"""The section `dedup`, and what its stage reads and writes; its work is stages/dedup.py."""

from pydantic import Field, model_validator

from stages.curation.duplicates.settings import FINEWEB_BANDS, FINEWEB_ROWS, MinHash
from stages.foundation import artefacts
from stages.foundation.section import Section
from stages.foundation.stage import Stage
from stages.pools.copies_section import LineParams, SemanticParams


class BandsParams(Section):
    bands: int = Field(FINEWEB_BANDS, ge=1, le=256)
    rows: int = Field(FINEWEB_ROWS, ge=1, le=64)


class DedupParams(Section):
    shingle_words: int = Field(5, ge=1, le=50, description="words a shingle")
    threshold: float = Field(
        0.8,
        ge=0.3,
        le=1,
        description="Jaccard similarity of shingles from which documents are near copies",
    )
    bands: int = Field(
        20, ge=1, le=256, description="bands of the locality-sensitive hash"
    )
    rows: int = Field(
        6,
        ge=1,
        le=64,
        description=(
            "rows a band; pairs of similarity s meet, and are then compared, with"
            " probability 1-(1-s^rows)^bands"
        ),
    )
    seed: int = Field(1, ge=0)
    warn_lost: float = Field(
        0.5, gt=0, le=1, description="share of a pool's documents lost as copies: warn"
    )
    warn_cluster: float = Field(
        0.05, gt=0, le=1, description="share of a pool that is one cluster: warn"
    )
    warn_shared: float = Field(
        0.05,
        gt=0,
        le=1,
        description="share of a pool, copies removed, that holds one text: warn",
    )
    fineweb: BandsParams | None = Field(
        None,
        description=(
            "also join whatever shares one band, unverified and through chains, for"
            " arms with dedup: bands"
        ),
    )
    semantic: SemanticParams | None = Field(
        None,
        description=(
            "look for documents that say the same, for arms with dedup: semantic"
        ),
    )
    lines: LineParams | None = Field(
        None,
        description=(
            "look for lines that earlier documents hold, for arms with dedup: lines"
        ),
    )

    @model_validator(mode="after")
    def _meets(self) -> "DedupParams":
        if fault := self.minhash().fault():
            raise ValueError(fault)
        return self

    def minhash(self) -> MinHash:
        return MinHash(
            shingle_words=self.shingle_words,
            bands=self.bands,
            rows=self.rows,
            seed=self.seed,
            threshold=self.threshold,
        )


READERS, LEASE = "stages.proxy.readers", "stages.proxy.workforce.lease"


def unused(params: DedupParams) -> list[str]:
    """The trainer where no proxy reads the documents; how a card is held where no semantic copies are sought."""
    parts = [] if params.semantic else [LEASE]
    return parts if params.semantic and params.semantic.reader else [*parts, READERS]


stage = Stage(
    name="dedup",
    params=DedupParams,
    question="Which documents are copies of which?",
    deps=(artefacts.INGEST,),
    inputs=lambda params: params.semantic.files() if params.semantic else [],
    unused=lambda params: unused(params["dedup"]),
    outs=(artefacts.CLUSTERS, artefacts.LINE_COPIES),
    metrics=(artefacts.DEDUP_METRICS,),
)
