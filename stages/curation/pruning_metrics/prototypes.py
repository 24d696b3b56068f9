"""Prototypes: how far a row lies from the centre of its cluster, or of its class (Sorscher et al.
2022).

Question: which examples are typical? Input: embeddings (n, d). Output: difficulty (n,), 0 for
typical, larger for harder. Self-supervised: 1 - cosine to the nearest of k centres (spherical.py);
the number of centres matters little within an order of magnitude of the number of classes (same
source). Supervised: to the mean of the row's own class. Cost: one clustering. Fails where rare
means wrong: noise and mislabeled rows (supervised) lie farthest and are kept first, and where
copies make a centre of their own: a template repeated a thousand times is "typical" and hides from
keep-hard only because it is near itself, so deduplicate first (d4.py does).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.curation.vectors.embeddings import HashedWords, fit_hashed_words
from stages.curation.vectors.products import unit_rows
from stages.curation.vectors.spherical import assign, spherical_kmeans
from stages.foundation.errors import InputError


def prototype_distance(
    vectors: np.ndarray, ids, n_clusters: int, *, seed: int = 0, device: str = "cpu"
) -> np.ndarray:
    """Self-supervised prototypes: 1 - cosine to the nearest centre (n,)."""
    return spherical_kmeans(
        vectors, ids, min(n_clusters, len(vectors)), seed=seed, device=device
    ).distance


def class_prototype_distance(vectors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Supervised prototypes: 1 - cosine to the mean direction of the row's own class (n,)."""
    rows, labels = unit_rows(vectors), np.asarray(labels)
    if labels.shape != (len(rows),):
        raise InputError(
            f"{len(rows)} rows need as many labels, got shape {labels.shape}"
        )
    classes, own = np.unique(labels, return_inverse=True)
    centres = unit_rows(
        np.stack([rows[own == index].mean(axis=0) for index in range(len(classes))])
    )
    return 1.0 - np.einsum("ij,ij->i", rows, centres[own])


@dataclass(frozen=True, eq=False)
class TextPrototypes:
    """Centres (k, d) learned from a sample of texts, in the space of its hashed words."""

    embed: HashedWords
    centres: np.ndarray

    def difficulty(self, texts: Sequence[str]) -> np.ndarray:
        """1 - cosine to the nearest centre (n,)."""
        return assign(self.embed(texts), self.centres).distance


def fit_text_prototypes(
    texts: Sequence[str], *, n_clusters: int, seed: int
) -> tuple[TextPrototypes, np.ndarray]:
    """The centres of these texts, and their own difficulty (n,); rows are named by their place."""
    embed, rows = fit_hashed_words(texts, seed=seed)
    found = spherical_kmeans(
        rows,
        [f"{row:016d}" for row in range(len(texts))],
        min(n_clusters, len(texts)),
        seed=seed,
    )
    return TextPrototypes(embed, found.centres), found.distance


def prototype_difficulty(
    texts: Sequence[str], *, n_clusters: int, seed: int
) -> np.ndarray:
    """Self-supervised prototypes of texts by their hashed words (n,)."""
    return fit_text_prototypes(texts, n_clusters=n_clusters, seed=seed)[1]
