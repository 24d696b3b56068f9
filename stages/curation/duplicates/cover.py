"""The greedy cover of semantic deduplication on many rows at once, in memory that does not grow
with the number of copies.

Question: of rows in the order in which they are wanted, which are no copy of a kept one before?
Input: unit rows (n, d). Output: what semantic.greedy gives, without a list of all close pairs (m
copies of one row make m^2 / 2 of them): rows come in blocks, each is compared with the rows kept so
far and then within itself. Cost: 2 n d operations for each kept row at most; memory of the kept
rows and one block of cosines, 64 MB.
"""

import numpy as np

from stages.curation.duplicates.semantic import Pairs, greedy
from stages.curation.vectors.products import ROUNDING, close_pairs, nearest

BLOCK_ROWS = 1024  # assumed: its pairs are at most half a million


def greedy_cover(
    rows: np.ndarray,
    at_least: float,
    *,
    device: str = "cpu",
    block_rows: int = BLOCK_ROWS,
) -> tuple[np.ndarray, np.ndarray]:
    """keep (n,) bool and the most similar kept earlier row of each dropped one (n,), itself for a kept one.

    >>> rows = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], np.float32)
    >>> keep, twin = greedy_cover(rows, 0.98)
    >>> keep.tolist(), twin.tolist()
    ([True, True, False], [0, 1, 0])
    """
    n, kept_rows, kept_places = (
        len(rows),
        np.empty_like(rows),
        np.empty(len(rows), np.int64),
    )
    keep, twin, m = np.zeros(n, bool), np.arange(n), 0
    for first in range(0, n, block_rows):
        block = rows[first : first + block_rows]
        best, cosine = _most_similar(
            block, kept_rows[:m], places=kept_places, device=device
        )
        inside, own, own_cosine = _within(
            block, cosine < at_least - ROUNDING, at_least=at_least, device=device
        )
        new = first + np.flatnonzero(inside)
        keep[new] = True
        gone = np.flatnonzero(~inside)
        twin[first + gone] = np.where(
            cosine[gone] >= own_cosine[gone], best[gone], first + own[gone]
        )  # of equal ones the first in rank
        kept_rows[m : m + len(new)], kept_places[m : m + len(new)] = rows[new], new
        m += len(new)
    return keep, twin


def _most_similar(
    block: np.ndarray, kept: np.ndarray, places: np.ndarray, device: str
) -> tuple[np.ndarray, np.ndarray]:
    """(place of the most similar kept row, cosine) of each row of the block."""
    if not len(kept):
        return np.zeros(len(block), np.int64), np.full(len(block), -np.inf, np.float32)
    best, cosine = nearest(block, kept, device)
    return places[best], cosine


def _within(
    block: np.ndarray, open_: np.ndarray, at_least: float, device: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(kept, most similar earlier kept row of the block, its cosine), where only `open_` rows may be kept."""
    rows = np.flatnonzero(open_)
    keep, own, cosine = (
        np.zeros(len(block), bool),
        np.zeros(len(block), np.int64),
        np.full(len(block), -np.inf, np.float32),
    )
    if not len(rows):
        return keep, own, cosine
    keep[rows] = greedy(
        Pairs(*close_pairs(block[rows], at_least, device)), len(rows), at_least
    )[0]
    kept = np.flatnonzero(keep)
    similar = np.where(
        kept[None, :] < np.arange(len(block))[:, None], block @ block[kept].T, -np.inf
    )
    own, cosine = kept[similar.argmax(axis=1)], similar.max(axis=1)
    return keep, own, cosine.astype(np.float32)
