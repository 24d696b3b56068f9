"""One index, every datastore: filter, subsample and deduplicate after retrieval (MassiveDS, Shao et
al. 2024).

Question: what would retrieval have found, had the datastore been smaller, filtered, or drawn with
another seed? Input: the K best candidates of each query from one index of everything. Output: its k
best from the datastore asked for, and whether that is certain. A document is inside iff hash(seed,
id) < fraction, whatever the query, so all queries see one datastore (a coin a query and document,
as in the published code, does not give one); sizes of one seed are nested. Order: filter,
subsample, then one document of each duplicate cluster, the smallest id left, so a kept copy that
leaves makes room for the next. Equal to building that datastore first and searching it, exactly,
for every query that `is_exact` (a test); the others are short. A query is short with probability
P(Binomial(K, fraction of K that passes) < k), reported before and after. Cost: one search for all
datastores; a selection is a join and a sort of the candidates. Fails where the fraction is small: 1
% of K = 1,000 leaves 10, so k = 10 is short for nearly half of the queries; raise K.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from stages.curation.reading.documents import uniform
from stages.curation.vectors.products import ROUNDING, unit_rows
from stages.foundation.errors import InputError

BLOCK_QUERIES = 256  # assumed: queries whose scores are held at once


@dataclass(frozen=True, kw_only=True)
class Datastore:
    """Which datastore is meant: a share of the documents under a seed, and whether duplicates stay."""

    fraction: float = 1.0
    seed: int = 0
    deduplicate: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 1:
            raise InputError(
                f"a datastore of fraction {self.fraction} is outside 0 to 1; write 20 %"
                " as 0.2"
            )


@dataclass(frozen=True, eq=False)
class Retrieved:
    """`found`: query, id, score, rank (from 0), at most k a query. `queries`: query, candidates, passing, is_exact."""

    found: pl.DataFrame
    queries: pl.DataFrame
    expected_short: float  # share of queries short of k, from K and the share of the index that passes, before looking

    @property
    def short(self) -> float:
        """Share of queries whose answer is not certain to be the datastore's."""
        return 1.0 - float(self.queries["is_exact"].mean())


def candidates(
    queries: np.ndarray, documents: np.ndarray, ids: list[str], count: int
) -> pl.DataFrame:
    """The `count` best documents of each query by cosine: query, id, score. Ties go to the smaller id.

    Documents may come in shards: `merged` over the candidates of each is the same.
    """
    rows, goals = unit_rows(documents), unit_rows(queries)
    names, count, parts = np.asarray(ids, dtype=object), min(count, len(ids)), []
    by_name = np.argsort(names, kind="stable")
    rows, names = rows[by_name], names[by_name]
    for first in range(0, len(goals), BLOCK_QUERIES):
        scores = goals[first : first + BLOCK_QUERIES] @ rows.T
        for number, row in enumerate(scores, first):
            near = np.flatnonzero(
                row >= np.partition(row, -count)[-count] - 2 * ROUNDING
            )
            # unlike a product, the same in any shard
            score = (rows[near] * goals[number]).sum(axis=1, dtype=np.float64)
            best = np.argsort(-score, kind="stable")[:count]
            parts.append(
                pl.DataFrame(
                    {
                        "query": number,
                        "id": names[near[best]].tolist(),
                        "score": score[best],
                    },
                    schema_overrides={"query": pl.Int64},
                )
            )
    return pl.concat(parts)


def merged(parts: list[pl.DataFrame], count: int) -> pl.DataFrame:
    """The `count` best of each query over the candidates of several shards."""
    order = pl.concat(parts).sort(
        "query", "score", "id", descending=[False, True, False]
    )
    return order.group_by("query", maintain_order=True).head(count)


def members(documents: pl.DataFrame, store: Datastore) -> pl.DataFrame:
    """`id` of every document of a datastore. documents: id, and `cluster` where duplicates leave,
    `passes` where a filter is meant.
    """
    kept = documents.filter("passes") if "passes" in documents.columns else documents
    kept = kept.filter(
        pl.Series(uniform(store.seed, kept["id"], "datastore") < store.fraction)
    )
    if store.deduplicate and "cluster" in kept.columns:
        kept = kept.group_by("cluster").agg(pl.col("id").min())
    return kept.select("id").sort("id")


def after_retrieval(
    found: pl.DataFrame, documents: pl.DataFrame, store: Datastore, k: int
) -> Retrieved:
    """The k best of each query from `store`, out of the candidates of an index of everything.

    >>> embeddings, ids = np.eye(4), ["a", "b", "c", "d"]
    >>> queries = np.array([[0.9, 0.3, 0.2, 0.1]])
    >>> documents = pl.DataFrame({"id": ids, "passes": [False, True, True, True]})
    >>> wide = candidates(queries, embeddings, ids, 4)
    >>> after_retrieval(wide, documents, Datastore(fraction=1.0, seed=3), k=2).found["id"].to_list()
    ['b', 'c']
    """
    inside = members(documents, store)
    order = found.join(inside, on="id", how="semi").sort(
        "query", "score", "id", descending=[False, True, False]
    )
    best = order.group_by("query", maintain_order=True).head(k)
    best = best.with_columns(rank=pl.int_range(pl.len()).over("query"))
    counts = found.group_by("query").agg(candidates=pl.len()).sort("query")
    counts = counts.join(
        order.group_by("query").agg(passing=pl.len()), on="query", how="left"
    ).with_columns(pl.col("passing").fill_null(0))
    # everything was a candidate, so nothing is missing
    whole = pl.col("candidates") >= documents.height
    counts = counts.with_columns(is_exact=whole | (pl.col("passing") >= k))
    chance = shortfall(
        int(counts["candidates"].max() or 0),
        inside.height / max(1, documents.height),
        k,
    )
    return Retrieved(
        best.sort("query", "rank"),
        counts.sort("query"),
        0.0 if counts["candidates"].min() == documents.height else chance,
    )


def shortfall(n_candidates: int, passing: float, k: int) -> float:
    """P(fewer than k of K candidates are inside), each with probability `passing`: Binomial(K, passing) below k.

    It takes candidates for as likely to pass as any document; a filter that goes with the score breaks that.

    >>> round(shortfall(1000, 0.01, 3), 4)
    0.0027
    """
    from scipy.stats import binom

    return float(binom.cdf(k - 1, n_candidates, passing))
