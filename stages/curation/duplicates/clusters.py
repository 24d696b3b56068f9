"""Which documents are copies of which, and which one of each cluster stays.

Question: what is left when copies are removed, at four strengths: same text, same words, near
duplicates that were compared, whatever shares a band? Input: signatures (`minhash.signatures`).
Output: one row a document with its cluster (the smallest id in it), whether it stays, of what it is
a copy and how alike, and the weakest test that found it to be one. By `near` every document that
goes is alike to the one that stays in its place: in order of preference a document goes if it is
like one that stayed. By `bands` (as FineWeb) one shared band joins, nothing is compared, and chains
join too. The result does not depend on the order or the sharding of the documents. Cost: one sort a
band; a million documents take 6 s and 500 MB beside their signatures (measured).
"""

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
import polars as pl

from stages.curation.duplicates.alike import (
    Candidates,
    ShingleSets,
    alike,
    candidates,
    shingle_sets,
    together,
)
from stages.curation.duplicates.minhash import signatures, sketch_matrix
from stages.curation.duplicates.semantic import Pairs, greedy
from stages.curation.duplicates.settings import MinHash
from stages.curation.kernels.union import flatten, join_equal
from stages.foundation.errors import InputError

# each removes what the one before it removes, and more
POLICIES = ("none", "exact", "words", "near", "bands")
# ends the id of a document that is read without the lines that another one holds
SHORTENED = "-lines"
# (ids) -> their documents, in any order and number of frames
Texts = Callable[[pl.Series], Iterable[pl.DataFrame]]


def _by_id(sigs: pl.DataFrame) -> pl.DataFrame:
    sigs = sigs.sort("id")
    if sigs["id"].is_duplicated().any():
        twice = sigs.filter(pl.col("id").is_duplicated())["id"][0]
        raise InputError(
            f"document id {twice} occurs twice; read each input once, or give the pools"
            " different names"
        )
    return sigs


def duplicates(
    sigs: pl.DataFrame,
    policy: str = "near",
    scores: pl.DataFrame | None = None,
    *,
    params: MinHash = MinHash(),
    texts: Texts | None = None,
) -> pl.DataFrame:
    """Columns `id`, `cluster`, `cluster_size`, `keep`, `reason` (null for a kept one, else exact,
    words, near or bands), `duplicate_of` and `similarity` (Jaccard; null for a kept one
    and where nothing was compared).

    The documents are preferred by the highest `score` of `scores` (columns `id`, `score`; ties and
    missing scores go to the smaller id), or without scores by the smallest id. The `reason` is the
    first test, from exact to near, in whose own cluster another document was preferred. `texts`
    gives documents again whose sketches leave it open whether they are alike; without it the
    sketches decide. Raises InputError for an unknown policy or an id that occurs twice.
    """
    if policy not in POLICIES:
        raise InputError(
            f"no deduplication policy {policy!r}; known are {', '.join(POLICIES)}"
        )
    sigs = _by_id(sigs)
    rank = _ranks(sigs, scores)
    winner, similarity = _winners(sigs, policy, rank, params=params, texts=texts)
    own = np.arange(sigs.height)
    label = np.full(sigs.height, sigs.height)
    np.minimum.at(label, winner, own)
    cluster = label[winner]
    table = pl.DataFrame(
        {
            "id": sigs["id"],
            "cluster": sigs["id"].gather(cluster),
            "cluster_size": pl.Series(np.bincount(cluster)[cluster], dtype=pl.UInt32),
            "keep": winner == own,
            "duplicate_of": sigs["id"].gather(winner),
            "similarity": similarity,
            **{
                step: _firsts(sigs[step], rank) != own
                for step in POLICIES[1 : min(3, POLICIES.index(policy) + 1)]
            },
        }
    )
    gone = pl.when(~pl.col("keep"))
    reason = pl.coalesce(
        *(pl.when(step).then(pl.lit(step)) for step in table.columns[6:]),
        gone.then(pl.lit(policy)),
    )
    return table.select(
        "id",
        "cluster",
        "cluster_size",
        "keep",
        reason=gone.then(reason),
        duplicate_of=gone.then("duplicate_of"),
        similarity=gone.then(pl.col("similarity").fill_nan(None)),
    )


def clusters(
    sigs: pl.DataFrame, policy: str, params: MinHash = MinHash()
) -> pl.DataFrame:
    """Columns `id`, `cluster` (smallest id of the cluster), `cluster_size`; sorted by id."""
    return duplicates(sigs, policy, params=params).select(
        "id", "cluster", "cluster_size"
    )


def _ranks(sigs: pl.DataFrame, scores: pl.DataFrame | None) -> np.ndarray:
    """Place of each row in the order of preference (D,)."""
    if scores is None:
        return np.arange(sigs.height)
    score = sigs.select("id").join(
        scores.select("id", "score"), on="id", how="left", maintain_order="left"
    )["score"]
    order = np.lexsort(
        (np.arange(sigs.height), -score.fill_null(float("-inf")).to_numpy())
    )
    rank = np.empty(sigs.height, dtype=np.int64)
    rank[order] = np.arange(sigs.height)
    return rank


def _firsts(keys: pl.Series, rank: np.ndarray) -> np.ndarray:
    """For each row the preferred one of those with its key (D,)."""
    order = np.argsort(rank)
    groups = pl.DataFrame({"key": keys, "rank": rank})
    return order[groups.select(pl.col("rank").min().over("key")).to_series().to_numpy()]


def _winners(
    sigs: pl.DataFrame,
    policy: str,
    rank: np.ndarray,
    *,
    params: MinHash,
    texts: Texts | None,
) -> tuple[np.ndarray, np.ndarray]:
    """(row that stays in each row's place, their similarity) (D,); a row that stays has itself."""
    n = sigs.height
    if policy == "none":
        return np.arange(n), np.ones(n)
    if policy in ("exact", "words"):
        return _firsts(sigs[policy], rank), np.ones(n)
    if policy == "bands":
        labels = np.arange(n)
        for name in ("exact", "words", *params.band_names()):
            join_equal(labels, sigs[name].to_numpy())
        flatten(labels, n)
        winner = _firsts(pl.Series(labels), rank)
        words = sigs["words"].to_numpy()
        return winner, np.where(words == words[winner], 1.0, np.nan)
    firsts = _firsts(sigs["words"], rank)
    left, right, similarity = alike(
        _near_candidates(sigs, firsts == np.arange(n), rank, params),
        params,
        texts and partial(_sets_again, sigs["id"], texts, params),
    )
    by_rank = np.argsort(rank)
    earlier, later = np.sort(np.stack([rank[left], rank[right]]), axis=0)
    _, twin = greedy(Pairs(earlier, later, similarity), n, params.threshold)
    winner = by_rank[twin[rank]]
    known = pl.DataFrame({"earlier": earlier, "later": later, "found": similarity})
    found = (
        pl.DataFrame({"earlier": twin[rank], "later": rank})
        .join(known, on=["earlier", "later"], how="left", maintain_order="left")[
            "found"
        ]
        .fill_null(1.0)
        .to_numpy()
    )
    return winner[firsts], found[firsts]


def _near_candidates(
    sigs: pl.DataFrame, firsts: np.ndarray, rank: np.ndarray, params: MinHash
) -> Candidates:
    """Of the rows that are the first with their words."""
    rows = np.flatnonzero(firsts)
    sketches, words = sketch_matrix(sigs), sigs["words"].to_numpy()
    parts = []
    for name in params.band_names():
        keys = sigs[name].gather(rows)
        again = keys.is_duplicated().to_numpy()
        parts.append(
            candidates(
                keys.to_numpy()[again],
                rows[again],
                rank=rank,
                words=words,
                sketches=sketches,
                params=params,
            )
        )
    left, right, equal = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("left", "right", "equal")
    )
    _, once = np.unique(left * sigs.height + right, return_index=True)
    return Candidates(left[once], right[once], equal[once])


def _sets_again(
    ids: pl.Series, texts: Texts, params: MinHash, rows: np.ndarray
) -> ShingleSets:
    """The shingles of these rows, from their texts read again."""
    wanted = ids.gather(rows)
    found, sets = [], []
    for frame in texts(wanted):
        frame = frame.filter(pl.col("id").is_in(wanted.implode()))
        found.append(frame["id"])
        sets.append(shingle_sets(frame["text"], params))
    place = pl.DataFrame({"id": pl.concat(found)}).with_row_index("place")
    order = pl.DataFrame({"id": wanted}).join(
        place, on="id", how="left", maintain_order="left"
    )["place"]
    return together(sets).taken(order.to_numpy())


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
    table = duplicates(
        signatures(frame, params),
        policy,
        scores,
        params=params,
        texts=lambda _: [frame],
    )
    return (
        frame.join(
            table.filter("keep").select("id"),
            on="id",
            how="semi",
            maintain_order="left",
        ),
        table,
    )
