"""Which documents are copies of which, and which one of each cluster stays.

Question: what is left when copies are removed, at three strengths: same text, same words, near duplicates?
Input: signatures (`minhash.signatures`). Output: one row a document with its cluster (the smallest id in it), whether
it stays, and the weakest test that found it to be a copy. The result does not depend on the order or the sharding of
the documents. Cost: one sort a band; a million documents take 4 s and 430 MB beside their signatures (measured).
"""

from collections.abc import Iterable

import numpy as np
import polars as pl

from stages.curation.minhash import MinHash, signatures
from stages.errors import InputError

POLICIES = ("none", "exact", "words", "near")  # each removes what the one before it removes, and more
SHORTENED = "-lines"  # ends the id of a document that is read without the lines that another one holds


def clusters(sigs: pl.DataFrame, policy: str) -> pl.DataFrame:
    """Columns `id`, `cluster` (smallest id of the cluster), `cluster_size`; sorted by id.

    Near duplicates are joined through chains: A~B and B~C put A and C together though they may differ more.
    """
    sigs = sigs.sort("id")
    if sigs["id"].is_duplicated().any():
        twice = sigs.filter(pl.col("id").is_duplicated())["id"][0]
        raise InputError(f"document id {twice} occurs twice; read each input once, or give the pools different names")
    labels = _labels([sigs[name].to_numpy() for name in _key_columns(sigs, policy)], sigs.height)
    return pl.DataFrame({"id": sigs["id"], "cluster": sigs["id"].gather(labels)}).with_columns(cluster_size=pl.len().over("cluster"))


def _key_columns(sigs: pl.DataFrame, policy: str) -> list[str]:
    if policy not in POLICIES:
        raise InputError(f"no deduplication policy {policy!r}; known are {', '.join(POLICIES)}")
    columns = {"none": [], "exact": ["exact"], "words": ["exact", "words"]}
    return columns.get(policy, [name for name in sigs.columns if name != "id"])


def _labels(keys: list[np.ndarray], n: int) -> np.ndarray:
    """For each of n documents the smallest index of its component; equal keys are joined."""
    pairs = [_equal_neighbours(key) for key in keys]
    left = np.concatenate([np.zeros(0, dtype=np.int32), *(pair[0] for pair in pairs)])
    right = np.concatenate([np.zeros(0, dtype=np.int32), *(pair[1] for pair in pairs)])
    from scipy.sparse import coo_array  # a third of a second to import, which exact copies do not need
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(left), dtype=np.bool_), (left, right)), shape=(n, n))
    count, component = connected_components(graph, directed=False)
    smallest = np.full(count, n, dtype=np.int64)
    np.minimum.at(smallest, component, np.arange(n))
    return smallest[component]


def _equal_neighbours(key: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(key).astype(np.int32)
    ordered = key[order]
    same = np.flatnonzero(ordered[1:] == ordered[:-1])
    return order[same], order[same + 1]


def duplicates(sigs: pl.DataFrame, policy: str = "near", scores: pl.DataFrame | None = None) -> pl.DataFrame:
    """Columns `id`, `cluster`, `cluster_size`, `keep`, `reason` (null for a kept one, else exact, words or near).

    One document of each cluster stays: the one with the highest `score` of `scores` (columns `id`, `score`; ties and
    missing scores go to the smaller id), or without scores the smallest id. The `reason` is the first test, from
    exact to near, in whose own cluster another document was preferred.
    """
    table = clusters(sigs, policy)
    if scores is None:
        table = table.with_columns(_score=pl.lit(0.0))
    else:
        table = table.join(scores.select("id", _score="score"), on="id", how="left").with_columns(pl.col("_score").fill_null(float("-inf")))
    table = table.sort("_score", "id", descending=[True, False])
    for step in POLICIES[1 : POLICIES.index(policy) + 1]:
        table = table.join(clusters(sigs, step).select("id", _group="cluster"), on="id", how="left", maintain_order="left")
        table = table.with_columns((~pl.col("_group").is_first_distinct()).alias(f"_{step}")).drop("_group")
    steps = POLICIES[1 : POLICIES.index(policy) + 1]
    reason = pl.coalesce(pl.lit(None, dtype=pl.String), *(pl.when(f"_{step}").then(pl.lit(step)) for step in steps))
    table = table.with_columns(reason=reason).with_columns(keep=pl.col("reason").is_null())
    return table.select("id", "cluster", "cluster_size", "keep", "reason").sort("id")


def exact_duplicates(frames: pl.DataFrame | Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Columns `id`, `keep`, sorted by id: of documents with the same text the smallest id stays. `frames` may be a stream.

    What `duplicates` does with policy "exact", without the rest of the signatures; hashes are polars' own and never leave the call.
    Cost: 900 MB a CPU-second (measured).
    """
    frames = [frames] if isinstance(frames, pl.DataFrame) else frames
    parts = [pl.DataFrame({"id": frame["id"], "exact": frame["text"].hash()}, schema={"id": pl.String, "exact": pl.UInt64}) for frame in frames]
    table = pl.concat([pl.DataFrame(schema={"id": pl.String, "exact": pl.UInt64}), *parts]).sort("id")
    return table.select("id", keep=pl.col("exact").is_first_distinct())


def deduplicate(
    frame: pl.DataFrame, policy: str = "near", *, params: MinHash = MinHash(), scores: pl.DataFrame | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(documents that stay, in input order; the table of `duplicates`).

    >>> kept, table = deduplicate(pool, "near")
    >>> table.group_by("reason").len()
    """
    table = duplicates(signatures(frame, params), policy, scores)
    return frame.join(table.filter("keep").select("id"), on="id", how="semi", maintain_order="left"), table
