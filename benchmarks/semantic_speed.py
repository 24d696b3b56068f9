"""Spherical k-means, semantic deduplication and neighbours on one core, beside faiss and
scikit-learn in the same run.

python benchmarks/semantic_speed.py [ROWS]. Default 100,000 rows of 64 columns around 300 topics, a
tenth of them copies. Needs the extra `neighbours`. Prints a table and, as its last line, one JSON
object. CPU seconds; run with OMP_NUM_THREADS=1.
"""

import json
import sys
import time

import faiss
import numpy as np
from laws_speed import machine
from sklearn.cluster import MiniBatchKMeans

from stages.curation.duplicates.semantic import semdedup
from stages.curation.vectors.neighbours import neighbours, recall
from stages.curation.vectors.products import unit_rows
from stages.curation.vectors.spherical import (
    Clustering,
    cluster_count,
    spherical_kmeans,
)

COLUMNS, TOPICS, EPS, N_QUERIES, K = 64, 300, 0.05, 2000, 10
ITERATIONS = 25  # faiss's default


def rows_with_copies(n: int) -> np.ndarray:
    random = np.random.default_rng(0)
    rows = random.normal(size=(TOPICS, COLUMNS))[
        random.integers(0, TOPICS, n)
    ] + 1.2 * random.normal(size=(n, COLUMNS))
    rows[-n // 10 :] = rows[: n // 10] + 0.03 * random.normal(size=(n // 10, COLUMNS))
    return unit_rows(rows)


def timed(function):
    start = time.process_time()
    return function(), time.process_time() - start


def by_faiss(rows: np.ndarray, k: int) -> float:
    """Mean cosine to the centre."""
    found = faiss.Kmeans(
        rows.shape[1], k, niter=ITERATIONS, spherical=True, seed=1, verbose=False
    )
    found.train(rows)
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(found.centroids)
    return float(index.search(rows, 1)[0].mean())


def by_sklearn(rows: np.ndarray, k: int) -> float:
    found = MiniBatchKMeans(k, n_init=1, batch_size=4096, random_state=0).fit(rows)
    return float(
        np.einsum(
            "ij,ij->i", rows, unit_rows(found.cluster_centers_)[found.labels_]
        ).mean()
    )


def plain_semdedup(rows: np.ndarray, clustering: Clustering) -> np.ndarray:
    """The published rule as plainly as numpy says it: the full matrix of each cluster, the largest
    cosine to any earlier row.
    """
    keep = np.ones(len(rows), bool)
    for cluster in range(len(clustering.centres)):
        members = np.flatnonzero(clustering.cluster == cluster)
        members = members[np.argsort(clustering.cosine[members], kind="stable")]
        similar = np.triu(rows[members] @ rows[members].T, 1)
        keep[members[similar.max(axis=0, initial=0) > 1 - EPS]] = False
    return keep


def main(n: int) -> None:
    faiss.omp_set_num_threads(1)
    rows, ids, k = rows_with_copies(n), [f"{i:08d}" for i in range(n)], cluster_count(n)
    results: dict[str, dict[str, float]] = {}

    def add(name: str, seconds: float, **more: float) -> None:
        results[name] = {"cpu_seconds": seconds, **more}
        print(
            f"{name:52s}{seconds:9.2f}  "
            + ", ".join(f"{key} {value:.4g}" for key, value in more.items()),
            flush=True,
        )

    print(f"{n} rows x {COLUMNS}, {k} clusters{'CPU s':>38s}")
    clustering, seconds = timed(lambda: spherical_kmeans(rows, ids, k))
    add("spherical k-means, ours", seconds, mean_cosine=float(clustering.cosine.mean()))
    for name, function in (
        ("faiss Kmeans(spherical)", by_faiss),
        ("scikit-learn MiniBatchKMeans", by_sklearn),
    ):
        cosine, seconds = timed(lambda function=function: function(rows, k))
        add(f"spherical k-means, {name}", seconds, mean_cosine=cosine)
    ours, seconds = timed(lambda: semdedup(rows, ids, eps=EPS, clustering=clustering))
    add("SemDeDup at one eps, ours", seconds, dropped=ours.dropped_fraction)
    plain, seconds = timed(lambda: plain_semdedup(rows, clustering))
    add(
        "SemDeDup at one eps, the published rule in numpy",
        seconds,
        dropped=float(1 - plain.mean()),
    )
    tuned, seconds = timed(
        lambda: semdedup(rows, ids, drop_fraction=0.25, clustering=clustering)
    )
    add("SemDeDup, eps sought for 25 %, ours", seconds, dropped=tuned.dropped_fraction)
    (exact, _), seconds = timed(lambda: neighbours(rows[:N_QUERIES], rows, K, "exact"))
    add(f"{K} neighbours of {N_QUERIES} rows, exact", seconds, recall=1.0)
    (found, _), seconds = timed(lambda: neighbours(rows[:N_QUERIES], rows, K, "hnsw"))
    add(
        f"{K} neighbours of {N_QUERIES} rows, HNSW with its building",
        seconds,
        recall=recall(found, exact),
    )
    print(
        json.dumps(
            {
                "rows": n,
                "columns": COLUMNS,
                "clusters": k,
                "results": results,
                "machine": machine(),
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
