"""Semantic deduplication: documents that say the same in other words (SemDeDup, Abbas et al. 2023).

Question: which documents are semantic copies? Input: embeddings (n, d), ids. Output: which rows
stay, and of which kept row each dropped one is a copy. Rows are clustered (spherical.py); inside a
cluster they are ranked, and a row is dropped if its cosine to a KEPT row ranked before it is at
least 1 - eps. The rank is by distance to the centre (hard: farthest first; easy: nearest first) or
by hash(seed, id) (random), then by id, so the order of the input does not matter.

The published code compares with all rows ranked before, dropped ones too, so a chain A ~ B ~ C
loses C though nothing like C is kept; here C stays. The rows kept are the first in rank of a greedy
cover: each dropped row has a kept twin.

Cost: sum over clusters of size^2 d / 2 products; 100,000
rows of 64 columns in 316 clusters take 0.3 CPU-s at one eps and 1.9 where eps is sought (measured).
All close pairs are held, 20 bytes each, and m copies of one row make m^2 / 2 of them: drop exact
copies first. Fails where a copy falls into another cluster (pairs across a border are never
compared: fewer clusters find more), and where embeddings say "same topic" rather than "same
content": templated pages are dropped though their facts differ.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from stages.curation.duplicates.settings import LAST_EPS
from stages.curation.reading.documents import uniform
from stages.curation.vectors.products import ROUNDING, close_pairs, unit_rows
from stages.curation.vectors.spherical import Clustering, spherical_kmeans
from stages.foundation.errors import InputError

KEEP_FIRST = {
    "hard": "farthest from the centre",
    "easy": "nearest to the centre",
    "random": "by hash(seed, id)",
}
# searched for a wanted fraction; 2 joins opposite directions
FIRST_EPS = 2.0**-9


@dataclass(frozen=True, eq=False)
class SemanticDuplicates:
    """`keep` (n,) bool and `twin` (n,) row index of the kept copy (-1 for a kept row), in input
    order; the `eps` used.
    """

    keep: np.ndarray
    twin: np.ndarray
    eps: float
    clustering: Clustering

    @property
    def dropped_fraction(self) -> float:
        return float(1 - self.keep.mean())


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs inside clusters as positions in rank order (m,) each, and their cosines."""

    earlier: np.ndarray
    later: np.ndarray
    cosine: np.ndarray


def semdedup(
    vectors: np.ndarray,
    ids,
    *,
    eps: float | None = None,
    drop_fraction: float | None = None,
    keep_first: str = "hard",
    n_clusters: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    clustering: Clustering | None = None,
) -> SemanticDuplicates:
    """Drop semantic copies at threshold `eps`, or at the `eps` that drops nearest to `drop_fraction` of the rows.

    `keep_first` is one of KEEP_FIRST: which of two copies stays. `clustering` may be given where there is one already.

    >>> vectors = np.array([[1, 0], [0.999, 0.04], [0, 1], [-1, 0]])
    >>> found = semdedup(vectors, ["a", "b", "c", "d"], eps=0.01, n_clusters=1)
    >>> found.keep.tolist(), found.twin.tolist()
    ([True, False, True, True], [-1, 0, -1, -1])
    """
    _check(eps, drop_fraction, keep_first)
    rows, ids = unit_rows(vectors), [str(name) for name in ids]
    clustering = clustering or spherical_kmeans(
        rows, ids, n_clusters, seed=seed, device=device
    )
    order, edges = _ranked(clustering, ids, keep_first=keep_first, seed=seed)
    if eps is None:
        assert drop_fraction is not None  # _check: exactly one of the two is given
        eps, pairs = _tuned(
            rows[order], edges, drop_fraction=drop_fraction, device=device
        )
    else:
        pairs = _pairs(rows[order], edges, eps=eps, device=device)
    keep, twin = greedy(pairs, len(rows), 1 - eps)
    found = SemanticDuplicates(
        np.empty(len(rows), bool),
        twin=np.full(len(rows), -1),
        eps=float(eps),
        clustering=clustering,
    )
    found.keep[order] = keep
    found.twin[order] = np.where(keep, -1, order[twin])
    return found


def _check(eps: float | None, drop_fraction: float | None, keep_first: str) -> None:
    if (eps is None) == (drop_fraction is None):
        raise InputError("give either eps or drop_fraction, not both or neither")
    if eps is not None and not 0 <= eps <= LAST_EPS:
        raise InputError(
            f"eps {eps} is outside 0 to {LAST_EPS:g}; it is 1 minus the cosine of two"
            " copies, for example 0.05"
        )
    if drop_fraction is not None and not 0 <= drop_fraction < 1:
        raise InputError(
            f"drop_fraction {drop_fraction} is outside 0 to 1; write 25 % as 0.25"
        )
    if keep_first not in KEEP_FIRST:
        raise InputError(
            f"cannot keep first {keep_first!r}; known are {', '.join(KEEP_FIRST)}"
        )


def _ranked(
    clustering: Clustering, ids: list[str], keep_first: str, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Row indices cluster by cluster, first to be kept first, and the edges of the clusters in that order (k + 1,)."""
    key = {"hard": clustering.cosine, "easy": -clustering.cosine}.get(keep_first)
    key = (
        uniform(seed, ids, "semantic copies")
        if key is None
        else np.round(key.astype(np.float64), 6)
    )  # copies differ by rounding alone
    order = np.lexsort((np.asarray(ids), key, clustering.cluster))
    return order, np.concatenate([[0], np.cumsum(clustering.sizes)])


def _pairs(rows: np.ndarray, edges: np.ndarray, eps: float, device: str) -> Pairs:
    parts = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))]
    for first, stop in itertools.pairwise(edges):
        if stop - first > 1:
            earlier, later, cosine = close_pairs(rows[first:stop], 1 - eps, device)
            parts.append((earlier + first, later + first, cosine))
    return Pairs(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def greedy(pairs: Pairs, n: int, at_least: float) -> tuple[np.ndarray, np.ndarray]:
    """keep (n,) and the most similar kept earlier row of each (n,), in rank order.

    Rounds: a row with a kept earlier neighbour is dropped; one whose earlier neighbours are all dropped is kept. At
    least the first undecided row of every cluster is settled in a round, and in practice all are in a handful.
    """
    close = pairs.cosine >= at_least - ROUNDING
    earlier, later, cosine = (
        pairs.earlier[close],
        pairs.later[close],
        pairs.cosine[close],
    )
    keep, drop = np.zeros(n, bool), np.zeros(n, bool)
    left_earlier, left_later = earlier, later
    while not (keep | drop).all():
        waits = np.zeros(n, bool)
        waits[left_later] = True
        keep |= ~(waits | drop)
        drop[left_later[keep[left_earlier]]] = True
        undecided = ~(drop[left_later] | drop[left_earlier])
        left_earlier, left_later = left_earlier[undecided], left_later[undecided]
    twin = np.arange(n)
    of_kept = keep[earlier] & drop[later]
    # the last to be written is the most similar, then the first in rank
    order = np.lexsort((-earlier[of_kept], cosine[of_kept]))
    twin[later[of_kept][order]] = earlier[of_kept][order]
    return keep, twin


def _tuned(
    rows: np.ndarray, edges: np.ndarray, drop_fraction: float, device: str
) -> tuple[float, Pairs]:
    """The eps that drops nearest to the wanted fraction: doubled until it drops enough, then halved
    upon the pairs found.

    The number dropped may fall by a few rows as eps grows (a drop can free a later row), so the
    result is near, not exact.
    """
    n, eps = len(rows), FIRST_EPS
    pairs = _pairs(rows, edges, eps=eps, device=device)
    while _dropped(pairs, n, eps) < drop_fraction * n and eps < LAST_EPS:
        eps = min(2 * eps, LAST_EPS)
        pairs = _pairs(rows, edges, eps=eps, device=device)
    tried = {eps: _dropped(pairs, n, eps), 0.0: _dropped(pairs, n, 0.0)}
    low, high = 0.0, eps
    while high - low > 1e-4 * high and tried[high] != tried[low]:
        middle = (low + high) / 2
        tried[middle] = _dropped(pairs, n, middle)
        low, high = (
            (middle, high) if tried[middle] < drop_fraction * n else (low, middle)
        )
    return min(tried, key=lambda at: (abs(tried[at] - drop_fraction * n), at)), pairs


def _dropped(pairs: Pairs, n: int, eps: float) -> int:
    return int(n - greedy(pairs, n, 1 - eps)[0].sum())
