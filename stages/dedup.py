"""Question: which documents are copies of which, by each policy that an arm may choose? Input: the
pools. Output: a cluster for every document (named by its smallest id), whether it stays, and the
weakest test that found it to be a copy (exact, words, near); where params ask for it, what the
first of each cluster says again in other words (`semantic_of`), and the texts that are shorter
without lines of earlier documents. Nothing is removed here: removal is an arm's choice. Cost: about
1 s per 25 MB; memory of the signatures, 144 bytes a document; see pools/semantic_copies.py and
pools/line_copies.py for theirs.
"""

import logging
from pathlib import Path

from pydantic import Field

from stages import images
from stages.curation.duplicates.clusters import duplicates
from stages.curation.duplicates.minhash import MinHash, signatures
from stages.curation.reading.row_groups import batches
from stages.foundation import artefacts
from stages.foundation.files import whole_file, write_json
from stages.foundation.stage import Section, Stage
from stages.images.pools import dedup as dedup_images
from stages.pools.line_copies import LineParams, write_shortened
from stages.pools.semantic_copies import SemanticParams, semantic_twins

log = logging.getLogger("assay")


class DedupParams(Section):
    shingle_words: int = Field(5, ge=1, le=50, description="words a shingle")
    bands: int = Field(
        14, ge=1, le=256, description="bands of the locality-sensitive hash"
    )
    rows: int = Field(
        8,
        ge=1,
        le=64,
        description=(
            "rows a band; pairs of similarity s meet with probability"
            " 1-(1-s^rows)^bands"
        ),
    )
    seed: int = Field(1, ge=0)
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

    def minhash(self) -> MinHash:
        return MinHash(
            shingle_words=self.shingle_words,
            bands=self.bands,
            rows=self.rows,
            seed=self.seed,
        )


def run(params: DedupParams) -> None:
    """Signatures shard by shard, then clusters over all pools, then what else is asked for of the firsts."""
    if images.are_pooled():
        dedup_images()
        return
    shards = sorted(Path(artefacts.POOLS).rglob("*.parquet"))
    table = signatures(
        (frame for shard in shards for frame in batches(shard, ["id", "text"])),
        params.minhash(),
    )
    clusters = duplicates(table, "near").rename(
        {"keep": "is_first", "reason": "duplicate"}
    )
    del table
    counts = dict(clusters["duplicate"].drop_nulls().value_counts().iter_rows())
    metrics = {
        f"{kind}_duplicates": counts.get(kind, 0) for kind in ("exact", "words", "near")
    }
    firsts = clusters.filter("is_first").select("id")
    if params.semantic is not None:
        twins = semantic_twins(shards, firsts, params=params.semantic, seed=params.seed)
        clusters = clusters.join(
            twins, on="id", how="left", maintain_order="left", validate="1:1"
        )
        metrics["semantic_duplicates"] = twins.height
    shortened = write_shortened(
        shards, firsts, params=params.lines, path=Path(artefacts.LINE_COPIES)
    )
    if params.lines is not None:
        metrics["shortened_documents"] = shortened
    with whole_file(artefacts.CLUSTERS) as temporary:
        clusters.write_parquet(temporary)
    write_json(artefacts.DEDUP_METRICS, metrics)
    log.info(
        "dedup: %d documents, %s",
        len(clusters),
        ", ".join(f"{n} {kind.replace('_', ' ')}" for kind, n in metrics.items()),
    )


stage = Stage(
    run=run,
    params=DedupParams,
    question="Which documents are copies of which?",
    deps=(artefacts.INGEST,),
    inputs=lambda params: params.semantic.files() if params.semantic else [],
    outs=(artefacts.CLUSTERS, artefacts.LINE_COPIES),
    metrics=(artefacts.DEDUP_METRICS,),
)
