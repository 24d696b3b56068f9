"""Question: which documents are copies of which?
Input: the pools. Output: a cluster for every document (named by its smallest id), whether it stays, and
the weakest test that found it to be a copy (exact, words, near). Nothing is removed here: removal is an
arm's choice. Cost: about 1 s per 25 MB; memory of the signatures, 144 bytes a document.
"""

import logging
from pathlib import Path

import polars as pl
from pydantic import Field

from stages.curation.dedup import duplicates
from stages.curation.minhash import MinHash, signatures
from stages.files import whole_file, write_json
from stages.stage import Section, Stage

log = logging.getLogger("assay")


class DedupParams(Section):
    shingle_words: int = Field(5, ge=1, le=50, description="words a shingle")
    bands: int = Field(14, ge=1, le=256, description="bands of the locality-sensitive hash")
    rows: int = Field(8, ge=1, le=64, description="rows a band; pairs of similarity s meet with probability 1-(1-s^rows)^bands")
    seed: int = Field(1, ge=0)


def run(params: DedupParams) -> None:
    """Signatures shard by shard, then clusters over all pools."""
    shards = sorted(Path("data/ingest/pools").rglob("*.parquet"))
    table = signatures(map(pl.read_parquet, shards), MinHash(**params.model_dump()))
    clusters = duplicates(table, "near").rename({"keep": "is_first", "reason": "duplicate"})
    with whole_file("data/dedup/clusters.parquet") as temporary:
        clusters.write_parquet(temporary)
    counts = dict(clusters["duplicate"].drop_nulls().value_counts().iter_rows())
    metrics = {f"{kind}_duplicates": counts.get(kind, 0) for kind in ("exact", "words", "near")}
    write_json("data/metrics/dedup.json", metrics)
    log.info("dedup: %d documents, %s", len(clusters), ", ".join(f"{n} {kind.replace('_', ' ')}" for kind, n in metrics.items()))


stage = Stage(
    run=run,
    params=DedupParams,
    question="Which documents are copies of which?",
    deps=("data/ingest",),
    outs=("data/dedup/clusters.parquet",),
    metrics=("data/metrics/dedup.json",),
)
