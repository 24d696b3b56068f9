"""Question: which documents are copies of which, by each policy that an arm may choose? Input: the
pools. Output: a cluster for every document (named by its smallest id), whether it stays, of what it
is a copy and how alike, and the weakest test that found it to be one (exact, words, near); where
params ask for it, what one shared band joins (`bands_cluster`), what the first of each cluster says
again in other words (`semantic_of`), and the texts that are shorter without lines of earlier
documents; where a pool was made of another, the source of what is reworded (`origin`, that of the
source itself too). Nothing is removed here: removal is an arm's choice. What a pool loses beyond the
stated shares is said in a line. Cost: about 1 s per 25 MB; memory of the signatures, 320 bytes a
document; see pools/semantic_copies.py and pools/line_copies.py for theirs.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
from pydantic import Field, model_validator

from stages import images
from stages.curation.duplicates.clusters import duplicates
from stages.curation.duplicates.minhash import SHARED, signatures
from stages.curation.duplicates.settings import FINEWEB_BANDS, FINEWEB_ROWS, MinHash
from stages.curation.reading.row_groups import batches
from stages.foundation import artefacts
from stages.foundation.files import whole_file, write_json
from stages.foundation.stage import Section, Stage
from stages.images.pools import dedup as dedup_images
from stages.pools.copy_warnings import pool_warnings
from stages.pools.line_copies import LineParams, write_shortened
from stages.pools.semantic_copies import SemanticParams, semantic_twins

log = logging.getLogger("assay")


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


def run(params: DedupParams) -> None:
    """Signatures shard by shard, then clusters over all pools, then what else is asked for of the firsts."""
    if images.are_pooled():
        dedup_images()
        return
    shards = sorted(Path(artefacts.POOLS).rglob("*.parquet"))
    clusters = near_clusters(shards, params)
    counts = dict(clusters["duplicate"].drop_nulls().value_counts().iter_rows())
    metrics = {
        f"{kind}_duplicates": counts.get(kind, 0) for kind in ("exact", "words", "near")
    }
    if params.fineweb is not None:
        clusters = clusters.hstack([_joined(shards, params, params.fineweb)])
        metrics["bands_duplicates"] = (
            clusters.height - clusters["bands_cluster"].n_unique()
        )
    firsts = clusters.filter("is_first").select("id")
    if params.semantic is not None:
        twins = semantic_twins(shards, firsts, params=params.semantic, seed=params.seed)
        clusters = clusters.join(
            twins, on="id", how="left", maintain_order="left", validate="1:1"
        )
        metrics["semantic_duplicates"] = twins.height
    if (origins := origins_of(shards)) is not None:
        clusters = clusters.join(
            origins, on="id", how="left", maintain_order="left", validate="1:1"
        )
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


def near_clusters(shards: Sequence[Path], params: DedupParams) -> pl.DataFrame:
    """The table of `duplicates` over all pools, sorted by id, with a line for what is odd."""
    table = signatures(_documents(shards), params.minhash())
    clusters = duplicates(
        table,
        "near",
        params=params.minhash(),
        texts=lambda ids: _documents(shards, ids),
    ).rename({"keep": "is_first", "reason": "duplicate"})
    for line in pool_warnings(shards, table.select("id", *SHARED), clusters, params):
        log.warning("dedup: %s", line)
    return clusters


def _documents(
    shards: Sequence[Path], ids: pl.Series | None = None
) -> Iterator[pl.DataFrame]:
    """Ids and texts of all documents, or of some."""
    for shard in shards:
        for frame in batches(shard, ["id", "text"]):
            yield (
                frame
                if ids is None
                else frame.filter(pl.col("id").is_in(ids.implode()))
            )


def origins_of(shards: Sequence[Path]) -> pl.DataFrame | None:
    """Columns id and origin, the id of the whole document that a text was made of: of reworded documents and of those
    that they were made of; None where no pool was made of another.
    """
    columns = ["id", "parent", "origin"]
    if not any("origin" in pl.read_parquet_schema(shard) for shard in shards):
        return None
    table = pl.concat([frame for shard in shards for frame in batches(shard, columns)])
    known = table["origin"].drop_nulls().unique().implode()
    own = pl.when(pl.col("parent").is_in(known)).then("parent")
    return table.select("id", origin=pl.coalesce("origin", own)).drop_nulls()


def _joined(
    shards: Sequence[Path], params: DedupParams, asked: BandsParams
) -> pl.Series:
    """The smallest id that each document, in id order, is joined with by bands."""
    minhash = replace(params.minhash(), bands=asked.bands, rows=asked.rows)
    table = signatures(_documents(shards), minhash)
    return duplicates(table, "bands", params=minhash)["cluster"].alias("bands_cluster")


READERS = ("stages.proxy.readers",)


def asks_for_a_reader(params: DedupParams) -> bool:
    """Whether a proxy reads the documents, which needs the code of the trainer."""
    return bool(params.semantic and params.semantic.reader)


stage = Stage(
    run=run,
    params=DedupParams,
    question="Which documents are copies of which?",
    deps=(artefacts.INGEST,),
    inputs=lambda params: params.semantic.files() if params.semantic else [],
    unused=lambda params: () if asks_for_a_reader(params["dedup"]) else READERS,
    outs=(artefacts.CLUSTERS, artefacts.LINE_COPIES),
    metrics=(artefacts.DEDUP_METRICS,),
)
