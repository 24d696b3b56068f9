"""D4: semantic deduplication, then diversification by prototypes of clusters found anew (Tirumala et al. 2023).

Question: which documents are neither copies nor typical? Input: embeddings (n, d), ids, the kept fraction R = R_dedup x
R_proto. Output: which rows stay and why the others do not. Steps: cluster; SemDeDup to R_dedup; cluster the rest AGAIN,
because copies pull centres onto themselves; drop the rows nearest their new centre until R_proto of the rest is left.
Fractions are of documents. Cost: twice the clustering and one deduplication.
Fails on a pool without copies or topics: what is far from every centre is then noise, and D4 keeps it first.
"""

from dataclasses import dataclass

import numpy as np

from stages.curation.duplicates.semantic import semdedup
from stages.curation.vectors.spherical import Clustering, spherical_kmeans
from stages.foundation.errors import InputError

COPIES_SPREAD = 0.03  # cited: Tirumala et al. 2023; the std of the distance to the centre in a duplicate-driven cluster
SMALLEST_JUDGED = 3  # assumed: a std of fewer rows says nothing
R_DEDUP = 0.75  # cited: Tirumala et al. 2023


@dataclass(frozen=True, eq=False)
class Diversified:
    """`keep` (n,) bool; `reason` (n,) "" for a kept row, else "copy" or "typical"; `first` and
    `second` are the clusterings.
    """

    keep: np.ndarray
    reason: np.ndarray
    eps: float
    first: Clustering
    second: Clustering


def d4(
    vectors: np.ndarray,
    ids,
    keep: float,
    *,
    r_dedup: float = R_DEDUP,
    n_clusters: int | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> Diversified:
    """Keep the fraction `keep` of the rows: `r_dedup` after copies are dropped, `keep / r_dedup` of
    those after typical ones are.

    >>> vectors = np.random.default_rng(0).normal(size=(200, 8))
    >>> found = d4(vectors, range(200), 0.5)
    >>> int(found.keep.sum()), int((found.reason == "copy").sum())
    (100, 50)
    """
    if not 0 < keep <= r_dedup <= 1:
        raise InputError(
            f"need 0 < keep <= r_dedup <= 1, got keep {keep} and r_dedup {r_dedup}"
        )
    ids = np.asarray([str(name) for name in ids])
    copies = semdedup(
        vectors,
        ids,
        drop_fraction=1 - r_dedup,
        n_clusters=n_clusters,
        seed=seed,
        device=device,
    )
    rest = np.flatnonzero(copies.keep)
    again = n_clusters if n_clusters is None else min(n_clusters, len(rest))
    second = spherical_kmeans(vectors[rest], ids[rest], again, seed=seed, device=device)
    n_kept = min(len(rest), round(keep * len(ids)))
    farthest_first = np.lexsort(
        (ids[rest], np.round(second.cosine.astype(np.float64), 6))
    )
    reason = np.where(copies.keep, "typical", "copy")
    reason[rest[farthest_first[:n_kept]]] = ""
    return Diversified(
        reason == "",
        reason=reason,
        eps=copies.eps,
        first=copies.clustering,
        second=second,
    )


def duplicate_driven(
    clustering: Clustering, spread: float = COPIES_SPREAD
) -> np.ndarray:
    """Which clusters (k,) are made by copies: their rows lie so evenly about the centre that the
    std of the distance is below `spread`.
    """
    sizes = np.maximum(clustering.sizes, 1)
    mean = np.bincount(clustering.cluster, clustering.distance, len(sizes)) / sizes
    square = (
        np.bincount(
            clustering.cluster,
            (clustering.distance - mean[clustering.cluster]) ** 2,
            len(sizes),
        )
        / sizes
    )
    return (np.sqrt(square) < spread) & (clustering.sizes >= SMALLEST_JUDGED)
