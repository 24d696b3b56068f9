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

from stages import images
from stages.curation.duplicates.clusters import duplicates
from stages.curation.duplicates.minhash import SHARED, signatures
from stages.curation.reading.row_groups import batches
from stages.declarations.dedup import BandsParams, DedupParams
from stages.foundation import artefacts
from stages.foundation.files import whole_file, write_json
from stages.images.pools import dedup as dedup_images
from stages.pools.copy_warnings import pool_warnings
from stages.pools.line_copies import write_shortened
from stages.pools.semantic_copies import semantic_twins

log = logging.getLogger("assay")


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
