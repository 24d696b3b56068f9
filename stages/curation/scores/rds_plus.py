"""RDS+: the documents most like a few examples of the task, every example having its turn (Ivison
et al. 2025, 2503.01807).

Question: which documents look like the target? Input: embeddings of documents and of query
examples. Output: the order in which they are taken. A text's embedding is the mean of its last
hidden states with weights i / sum j over its real tokens, so later tokens, which have read more,
count more; padding never counts, whatever the batch. In Algorithm 1 the queries take turns, each
its best document that is not taken yet, so no query wins by the scale of its cosines. With several
tasks each task has equal turns, whatever its number of queries (theirs: the same, from one score a
task). High = keep. Cost: q x n cosines, then 5 microseconds a document taken (200 queries, 50,000
documents, measured); memory a row of n a query. Fails where the queries are not the target: an
off-topic query takes its full 1/q of the selection; and it has no sense of copies: near-duplicates
of a query are all taken, so deduplicate first (both are tests).
"""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

import numpy as np

from stages.curation.vectors.products import unit_rows
from stages.foundation.errors import InputError

FIRST_LOOK = 256  # assumed: best documents sorted for a query at first; doubled when they are used up


def position_weighted(hidden: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Embeddings (B, D) of hidden states (B, T, D); `mask` (B, T) is 1 on real tokens, padding on either side."""
    mask = np.asarray(mask, dtype=np.float64)
    if not mask.any(axis=1).all():
        raise InputError(
            f"text {int((~mask.any(axis=1)).argmax())} of the batch has no token; leave"
            " empty texts out"
        )
    place = np.cumsum(mask, axis=1) * mask  # 1, 2, ... over real tokens
    return np.einsum("bt,btd->bd", place / place.sum(axis=1, keepdims=True), hidden)


def cosines(queries: np.ndarray, documents: np.ndarray) -> np.ndarray:
    """Cosine of every query to every document (q, n) float32."""
    return unit_rows(queries) @ unit_rows(documents).T


def round_robin(
    similarity: np.ndarray, count: int | None = None, *, tasks: Sequence | None = None
) -> np.ndarray:
    """Document indices in the order taken (count,), all of them by default. similarity: (queries, documents).

    `tasks` (queries,) names the task of each query. Ties go to the lower index.

    >>> round_robin(np.array([[0.9, 0.8, 0.1], [0.9, 0.2, 0.3]])).tolist()
    [0, 2, 1]
    """
    similarity = np.asarray(similarity)
    n_queries, n_documents = similarity.shape
    if not n_queries:
        raise InputError(
            "no query to select for; give at least one example of the target"
        )
    count = n_documents if count is None else min(count, n_documents)
    best = [_best_first(row) for row in similarity]
    turns, taken = _turns(tasks, n_queries), np.zeros(n_documents, dtype=bool)
    order: list[int] = []
    while True:
        for query in turns:
            if len(order) >= count:
                return np.array(order, dtype=np.int64)
            document = next(found for found in best[query] if not taken[found])
            taken[document] = True
            order.append(document)


def round_robin_scores(
    similarity: np.ndarray, *, tasks: Sequence | None = None
) -> np.ndarray:
    """The same order as a score (documents,): 1 for the first taken, falling evenly to 1 / n; high = keep."""
    order = round_robin(similarity, tasks=tasks)
    scores = np.empty(len(order))
    scores[order] = 1 - np.arange(len(order)) / len(order)
    return scores


def _best_first(row: np.ndarray) -> Iterator[int]:
    """Indices of a row, largest value first, sorted a part at a time: most queries never look far."""
    left, look = np.arange(len(row)), FIRST_LOOK
    while len(left):
        values = row[left]
        cut = -np.inf if look >= len(left) else np.partition(values, -look)[-look]
        near = left[values >= cut]
        yield from near[np.argsort(-row[near], kind="stable")].tolist()
        left, look = left[values < cut], 2 * look


def _turns(tasks: Sequence | None, n_queries: int) -> list[int]:
    """The queries in the order in which they choose, for one whole cycle in which every task has as many turns."""
    if tasks is None:
        return list(range(n_queries))
    if len(tasks) != n_queries:
        raise InputError(
            f"{len(tasks)} task names for {n_queries} queries; give one each"
        )
    by_task: dict = {}
    for query, task in enumerate(tasks):
        by_task.setdefault(task, []).append(query)
    longest = max(map(len, by_task.values()))
    rows = [
        [queries[turn % len(queries)] for turn in range(longest)]
        for queries in by_task.values()
    ]
    return [query for column in zip_longest(*rows) for query in column]
