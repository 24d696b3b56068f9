"""The k most similar rows of a table of embeddings: exact by blocks, or by an HNSW graph on large data.

Question: which documents are nearest to a query? Input: unit rows of queries (q, d) and of a table (n, d). Output:
indices and cosines (q, k), nearest first. Exact costs 2 q n d operations; above `EXACT_PRODUCTS` of them "auto" takes
faiss's HNSW (Malkov & Yashunin 2016; extra `neighbours`), whose recall depends on the data: `recall` measures it.
The graph is built by one thread, so that equal input gives equal neighbours.
"""

import numpy as np

from stages.curation.vectors.products import blocks, unit_rows
from stages.foundation.errors import InputError

# measured at 100,000 rows of 64 columns: as many products as take 18 CPU-s exactly, the time of
# building the graph
EXACT_PRODUCTS = 4e11
# more than faiss's defaults of 40 and 16: recall .998 on 100,000 rows (measured)
LINKS, BUILD_WIDTH, SEARCH_WIDTH = (32, 100, 128)
METHODS = ("auto", "exact", "hnsw")


def neighbours(
    queries: np.ndarray, table: np.ndarray, k: int, method: str = "auto"
) -> tuple[np.ndarray, np.ndarray]:
    """Indices (q, k) int64 into `table` and cosines (q, k) float32, most similar first; ties go to
    the lower index (exact only).

    >>> table = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> index, cosine = neighbours(np.array([[2.0, 0.1]]), table, 2)
    >>> index.tolist(), bool(cosine[0, 0] > cosine[0, 1])
    ([[0, 2]], True)
    """
    queries, table = unit_rows(queries), unit_rows(table)
    if (
        method not in METHODS
        or not 1 <= k <= len(table)
        or queries.shape[1] != table.shape[1]
    ):
        raise InputError(
            f"cannot find {k} neighbours of {queries.shape} in {table.shape} by"
            f" {method!r}; methods are {', '.join(METHODS)}"
        )
    if method == "auto":
        method = (
            "hnsw"
            if 2.0 * len(queries) * table.size > EXACT_PRODUCTS
            and _faiss(required=False)
            else "exact"
        )
    return _hnsw(queries, table, k) if method == "hnsw" else _exact(queries, table, k)


def recall(found: np.ndarray, exact: np.ndarray) -> float:
    """Share of the exact neighbours (q, k) that were found."""
    return float(
        np.mean(
            [np.isin(want, got).mean() for got, want in zip(found, exact, strict=True)]
        )
    )


def _exact(
    queries: np.ndarray, table: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    index = np.empty((len(queries), k), np.int64)
    cosine = np.empty((len(queries), k), np.float32)
    for block in blocks(len(queries), len(table)):
        similar = queries[block] @ table.T
        least = np.partition(similar, len(table) - k, axis=1)[:, len(table) - k]
        for query, (row, enough) in enumerate(
            zip(similar, least, strict=True), start=block.start
        ):
            found = np.flatnonzero(row >= enough)
            index[query] = found[np.lexsort((found, -row[found]))[:k]]
            cosine[query] = row[index[query]]
    return index, cosine


def _hnsw(
    queries: np.ndarray, table: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    faiss = _faiss(required=True)
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        graph = faiss.IndexHNSWFlat(table.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction, graph.hnsw.efSearch = (
            BUILD_WIDTH,
            max(SEARCH_WIDTH, k),
        )
        graph.add(table)
        cosine, index = graph.search(queries, k)
    finally:
        faiss.omp_set_num_threads(before)
    return index, cosine


def _faiss(required: bool):
    try:
        import faiss
    except ImportError:
        if required:
            raise InputError(
                "HNSW neighbours need faiss: pip install 'assay[neighbours]', or use"
                " method exact"
            ) from None
        return None
    return faiss
