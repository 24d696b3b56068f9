"""Which documents are copies of which, and which one of each cluster stays.

Question: what is left when copies are removed, at three strengths: same text, same words, near duplicates?
Input: signatures (`minhash.signatures`). Output: one row a document with its cluster (the smallest id in it), whether
it stays, and the weakest test that found it to be a copy. The result does not depend on the order or the sharding of
the documents. Cost: one hash table a band; a million documents take 2 s and 280 MB beside their signatures (measured).
"""

from collections.abc import Iterable

import numpy as np
import polars as pl

from stages.curation.duplicates.minhash import MinHash, signatures
from stages.curation.kernels.union import flatten, join_equal
from stages.foundation.errors import InputError

# each removes what the one before it removes, and more
POLICIES = ("none", "exact", "words", "near")
# ends the id of a document that is read without the lines that another one holds
SHORTENED = "-lines"


def clusters(sigs: pl.DataFrame, policy: str) -> pl.DataFrame:
    """Columns `id`, `cluster` (smallest id of the cluster), `cluster_size`; sorted by id.

    Near duplicates are joined through chains: A~B and B~C put A and C together though they may differ more.
    """
    sigs = _by_id(sigs)
    labels = _labels(sigs, policy).get(policy, np.arange(sigs.height))
    return pl.DataFrame(
        {"id": sigs["id"], "cluster": sigs["id"].gather(labels)}
    ).with_columns(cluster_size=pl.len().over("cluster"))


def _by_id(sigs: pl.DataFrame) -> pl.DataFrame:
    sigs = sigs.sort("id")
    if sigs["id"].is_duplicated().any():
        twice = sigs.filter(pl.col("id").is_duplicated())["id"][0]
        raise InputError(
            f"document id {twice} occurs twice; read each input once, or give the pools"
            " different names"
        )
    return sigs


def _labels(sigs: pl.DataFrame, policy: str) -> dict[str, np.ndarray]:
    """For each test up to the policy's, the smallest row of each row's component; each test joins
    what the one before joined.
    """
    if policy not in POLICIES:
        raise InputError(
            f"no deduplication policy {policy!r}; known are {', '.join(POLICIES)}"
        )
    bands = [name for name in sigs.columns if name not in ("id", "exact", "words")]
    keys = {"exact": ["exact"], "words": ["words"], "near": bands}
    labels, found = np.arange(sigs.height), {}
    for step in POLICIES[1 : POLICIES.index(policy) + 1]:
        for name in keys[step]:
            join_equal(labels, sigs[name].to_numpy())
        flatten(labels, len(labels))
        found[step] = labels.copy()
    return found


def duplicates(
    sigs: pl.DataFrame, policy: str = "near", scores: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Columns `id`, `cluster`, `cluster_size`, `keep`, `reason` (null for a kept one, else exact, words or near).

    One document of each cluster stays: the one with the highest `score` of `scores` (columns `id`, `score`; ties and
    missing scores go to the smaller id), or without scores the smallest id. The `reason` is the first test, from
    exact to near, in whose own cluster another document was preferred.
    """
    sigs = _by_id(sigs)
    steps = _labels(sigs, policy)
    cluster = steps.get(policy, np.arange(sigs.height))
    table = pl.DataFrame(
        {
            "id": sigs["id"],
            "cluster": sigs["id"].gather(cluster),
            "cluster_size": pl.Series(np.bincount(cluster)[cluster], dtype=pl.UInt32),
            **steps,
        }
    )
    if scores is not None:
        score = pl.col("score").fill_null(float("-inf"))
        table = table.join(scores.select("id", "score"), on="id", how="left").sort(
            score, "id", descending=[True, False]
        )
    table = table.with_columns(~pl.col(step).is_first_distinct() for step in steps)
    reason = pl.coalesce(
        pl.lit(None, dtype=pl.String),
        *(pl.when(step).then(pl.lit(step)) for step in steps),
    )
    return table.select(
        "id", "cluster", "cluster_size", keep=reason.is_null(), reason=reason
    ).sort("id")


def exact_duplicates(frames: pl.DataFrame | Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Columns `id`, `keep`, sorted by id: of documents with the same text the smallest id stays.
    `frames` may be a stream.

    What `duplicates` does with policy "exact", without the rest of the signatures; hashes are
    polars' own and never leave the call. Cost: 900 MB a CPU-second (measured).
    """
    frames = [frames] if isinstance(frames, pl.DataFrame) else frames
    parts = [
        pl.DataFrame(
            {"id": frame["id"], "exact": frame["text"].hash()},
            schema={"id": pl.String, "exact": pl.UInt64},
        )
        for frame in frames
    ]
    table = pl.concat(
        [pl.DataFrame(schema={"id": pl.String, "exact": pl.UInt64}), *parts]
    ).sort("id")
    return table.select("id", keep=pl.col("exact").is_first_distinct())


def deduplicate(
    frame: pl.DataFrame,
    policy: str = "near",
    *,
    params: MinHash = MinHash(),
    scores: pl.DataFrame | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(documents that stay, in input order; the table of `duplicates`).

    >>> from stages.curation.reading.documents import documents
    >>> pool = documents(["one and the same", "one and the same", "another"], ["1", "2", "3"], "p")
    >>> kept, table = deduplicate(pool, "exact")
    >>> sorted(kept["text"]), table["reason"].to_list()
    (['another', 'one and the same'], [None, 'exact', None])
    """
    table = duplicates(signatures(frame, params), policy, scores)
    return (
        frame.join(
            table.filter("keep").select("id"),
            on="id",
            how="semi",
            maintain_order="left",
        ),
        table,
    )
