"""Prototypes: how far a row lies from the centre of its cluster, or of its class (Sorscher et al. 2022).

Question: which examples are typical? Input: embeddings (n, d). Output: difficulty (n,), 0 for typical, larger for harder.
Self-supervised: 1 - cosine to the nearest of k centres (spherical.py); the number of centres matters little within an
order of magnitude of the number of classes (same source). Supervised: to the mean of the row's own class.
Cost: one clustering. Fails where rare means wrong: noise and mislabeled rows (supervised) lie farthest and are kept first,
and where copies make a centre of their own: a template repeated a thousand times is "typical" and hides from keep-hard
only because it is near itself, so deduplicate first (d4.py does).
"""

from collections.abc import Sequence

import numpy as np

from stages.curation.embeddings import hashed_words
from stages.curation.spherical import spherical_kmeans
from stages.curation.vectors import unit_rows
from stages.errors import InputError


def prototype_distance(vectors: np.ndarray, ids, n_clusters: int, *, seed: int = 0, device: str = "cpu") -> np.ndarray:
    """Self-supervised prototypes: 1 - cosine to the nearest centre (n,)."""
    return spherical_kmeans(vectors, ids, min(n_clusters, len(vectors)), seed=seed, device=device).distance


def class_prototype_distance(vectors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Supervised prototypes: 1 - cosine to the mean direction of the row's own class (n,)."""
    rows, labels = unit_rows(vectors), np.asarray(labels)
    if labels.shape != (len(rows),):
        raise InputError(f"{len(rows)} rows need as many labels, got shape {labels.shape}")
    classes, own = np.unique(labels, return_inverse=True)
    centres = unit_rows(np.stack([rows[own == index].mean(axis=0) for index in range(len(classes))]))
    return 1.0 - np.einsum("ij,ij->i", rows, centres[own])


def prototype_difficulty(texts: Sequence[str], *, n_clusters: int, seed: int) -> np.ndarray:
    """Self-supervised prototypes of texts by their hashed words (n,); rows are named by their place."""
    ids = [f"{row:016d}" for row in range(len(texts))]
    return prototype_distance(hashed_words(texts, seed=seed), ids, n_clusters, seed=seed)
