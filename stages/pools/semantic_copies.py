"""Semantic copies among the documents that near deduplication leaves: the policy `semantic` of an
arm.

Question: which documents say the same as another in other words? Input: the pools' shards, the ids
of the firsts. Output: of each semantic copy the id of the kept document that it is like most
(SemDeDup, see curation/duplicates/semantic.py). Embeddings are hashed words fitted to a sample by hash, or a
sentence model or a trained proxy of the user's. A model reads, and rows are compared, on a GPU where that
pays (curation/vectors/place.py). Cost: 7 MB a CPU-second with hashed words (measured); 256 bytes a document
and as much again while they are compared.
"""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from stages.curation.duplicates.semantic import semdedup
from stages.curation.reading.documents import uniform
from stages.curation.reading.row_groups import batches, compact
from stages.curation.vectors.embeddings import Embed, embedded, fit_hashed_words
from stages.curation.vectors.place import (
    EPS_ROUNDS,
    Cost,
    clusters_cost,
    pairs_cost,
    reading_cost,
)
from stages.curation.vectors.spherical import cluster_count
from stages.pools.copies_section import TOKENIZER, SemanticParams
from stages.pools.embed_documents import choose_embed
from stages.pools.products_device import products_device

log = logging.getLogger("assay")
FIT_CHARS = 20_000_000  # text that the space of hashed words is fitted to (assumed)


def semantic_twins(
    shards: Sequence[Path], firsts: pl.DataFrame, params: SemanticParams, seed: int
) -> pl.DataFrame:
    """Columns `id`, `semantic_of`: one row a copy. `firsts` has the ids of the documents that are compared."""
    names, rows = embedded_documents(
        shards, firsts, params=params, seed=seed, stage="dedup"
    )
    n_clusters = min(params.clusters or cluster_count(len(names)), len(names))
    with products_device(
        params.device,
        _search_cost(rows, n_clusters, tuned=params.threshold() is None),
        "dedup: semantic copies are sought",
    ) as device:
        found = semdedup(
            rows,
            names.to_list(),
            keep_first=params.keep_first,
            n_clusters=n_clusters,
            seed=seed,
            eps=params.threshold(),
            drop_fraction=params.drop_fraction,
            device=device,
        )
    log.info(
        "dedup: %.1f %% of %d documents are semantic copies at eps %.3g",
        100 * found.dropped_fraction,
        len(names),
        found.eps,
    )
    dropped = np.flatnonzero(~found.keep)
    return pl.DataFrame(
        {"id": names.gather(dropped), "semantic_of": names.gather(found.twin[dropped])}
    )


def _search_cost(rows: np.ndarray, n_clusters: int, tuned: bool) -> Cost:
    """Clusters, and the close pairs in them."""
    n_rows, columns = rows.shape
    rounds = EPS_ROUNDS if tuned else 1
    pairs = pairs_cost(n_rows, columns, n_clusters, rounds)
    return clusters_cost(n_rows, columns, n_clusters) + pairs


def embedded_documents(
    shards: Sequence[Path],
    firsts: pl.DataFrame,
    *,
    params: SemanticParams,
    seed: int,
    stage: str,
) -> tuple[pl.Series, np.ndarray]:
    """Ids (n,) and embeddings (n, d) float32 of the documents of `firsts`, by shard. stage: for the log."""
    with _reading_device(shards, firsts, params, stage) as device:
        embed = embedding_maker(shards, firsts, params=params, seed=seed, device=device)
        ids, parts = [], []
        for frame in pool_texts(shards, firsts):
            ids.append(compact(frame.select("id"))["id"])
            parts.append(embedded(embed, frame["text"].to_list()))
    return pl.concat(ids), np.concatenate(parts)


@contextlib.contextmanager
def _reading_device(
    shards: Sequence[Path], firsts: pl.DataFrame, params: SemanticParams, stage: str
) -> Iterator[str]:
    """Where a model or a reader reads; hashed words know no device."""
    folder = params.model or params.reader
    if not folder:
        yield "cpu"
        return
    n_chars = sum(
        int(frame["n_chars"].sum())
        for frame in _of_firsts(shards, firsts, ["id", "n_chars"])
    )
    cost = reading_cost(folder, len(firsts), n_chars)
    with products_device(params.device, cost, f"{stage}: {folder} reads") as device:
        yield device


def embedding_maker(
    shards: Sequence[Path],
    firsts: pl.DataFrame,
    params: SemanticParams,
    seed: int,
    device: str = "cpu",
) -> Embed:
    """What makes the embeddings: hashed words fitted to a sample of the documents, or the model or reader of params."""
    if params.model or params.reader:
        embed, reason = choose_embed(
            params.reader, TOKENIZER, params.model, device=device
        )
        log.info("embeddings: %s", reason)
        return embed
    return fit_hashed_words(_sample(shards, firsts, seed), seed=seed)[0]


def _sample(shards: Sequence[Path], firsts: pl.DataFrame, seed: int) -> list[str]:
    """Texts of about FIT_CHARS characters, whole documents by hash, in id order."""
    frames = [compact(frame) for frame in sampled_texts(shards, firsts, seed)]
    return pl.concat(frames).sort("id")["text"].to_list()


def sampled_texts(
    shards: Sequence[Path], firsts: pl.DataFrame, seed: int
) -> Iterator[pl.DataFrame]:
    """id, text and n_chars of documents of about FIT_CHARS characters by hash. firsts: ids to choose from."""
    total = sum(int(frame["n_chars"].sum()) for frame in pool_texts(shards, firsts))
    for frame in pool_texts(shards, firsts):
        if total > FIT_CHARS:
            chosen = uniform(seed, frame["id"], "semantic sample") < FIT_CHARS / total
            frame = frame.filter(pl.Series(chosen, dtype=pl.Boolean))
        yield frame


def pool_texts(shards: Sequence[Path], firsts: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """id, text and n_chars of the documents of `firsts`, by shard."""
    yield from _of_firsts(shards, firsts, ["id", "text", "n_chars"])


def _of_firsts(
    shards: Sequence[Path], firsts: pl.DataFrame, columns: list[str]
) -> Iterator[pl.DataFrame]:
    for shard in shards:
        for frame in batches(shard, columns):
            yield frame.join(firsts, on="id", how="semi", maintain_order="left")
