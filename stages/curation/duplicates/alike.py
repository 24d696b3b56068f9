"""Which candidates are near duplicates indeed: those whose similarity is at least the threshold.

Question: are two documents that share a band alike? Input: groups of documents that share one, their
sketches and, on demand, their shingles. Output: pairs with their Jaccard similarity. The share of
equal bytes of the sketches estimates it with a standard error of sqrt(s (1 - s) / bytes), .037 at .8
with 120; what lies within three of them around the threshold is decided by the shingles themselves
(of a longer document by the MOST_SHINGLES of the smallest hashes: standard error .006 at .8).

In a group of more than EVERY documents a document is compared with the first NEIGHBOURS that are
like none before them and with the NEIGHBOURS before it in the order of the sketches, so the work
grows as the documents. What that misses is found in the smaller groups that alike documents also
share: of 20 bands, two documents at .8 share 5. Cost: 30 ns a comparison of sketches, 1 us one of
200 shingles (measured).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from stages.curation.duplicates.minhash import shingles
from stages.curation.duplicates.settings import MinHash
from stages.curation.kernels.alike import (
    compare_in_groups,
    compare_pairs,
    shared_shingles,
)
from stages.curation.text.characters import composed, word_blocks

ERRORS = 3.0  # standard errors around the threshold within which shingles are compared
EVERY, NEIGHBOURS = 64, 32  # assumed
PAIRS_AT_ONCE = 1 << 18  # 6 MB
CHANCE = 1 / 256  # of two different minima to have the same byte
MOST_SHINGLES = 4096
EVERY_HASH, HALF = (1 << 32) - 1, np.uint64(32)


@dataclass(frozen=True)
class ShingleSets:
    """Hashes of the shingles of each document, all up to `last`, repeats included; document i has
    hashes[starts[i]:stops[i]].
    """

    hashes: np.ndarray  # (H,) uint32
    starts: np.ndarray  # (D,)
    stops: np.ndarray  # (D,)
    last: np.ndarray  # (D,) EVERY_HASH where all of its shingles are there

    def similarity(
        self, left: np.ndarray, right: np.ndarray, at_least: float = 0.0
    ) -> np.ndarray:
        """Jaccard similarity of documents left[i] and right[i] (P,); of those below `at_least` any
        number below it.
        """
        counts = np.zeros((2, len(left)), dtype=np.int64)
        longest = int((self.stops - self.starts).max(initial=1))
        bits = (4 * longest).bit_length()
        shared_shingles(
            np.ascontiguousarray(left, dtype=np.int64),
            np.ascontiguousarray(right, dtype=np.int64),
            len(left),
            self.hashes,
            self.starts,
            self.stops,
            self.last,
            int(1000 * at_least),
            np.zeros(1 << bits, dtype=np.uint64),
            bits,
            counts,
        )
        return counts[0] / np.maximum(counts[1], 1)

    def taken(self, rows: np.ndarray) -> "ShingleSets":
        """Those of some documents, in this order; the hashes are not copied."""
        return ShingleSets(
            self.hashes, self.starts[rows], self.stops[rows], self.last[rows]
        )

    def compact(self) -> "ShingleSets":
        """A copy whose hashes are those of its documents alone, one after another."""
        sizes = self.stops - self.starts
        stops = np.cumsum(sizes)
        shift = np.repeat(self.starts - (stops - sizes), sizes)
        hashes = self.hashes[np.arange(len(shift)) + shift]
        return ShingleSets(hashes, stops - sizes, stops, self.last)


def together(parts: Sequence[ShingleSets]) -> ShingleSets:
    """The documents of one part after another."""
    hashes = np.concatenate([np.zeros(0, np.uint32), *(part.hashes for part in parts)])
    first = np.cumsum([0, *(len(part.hashes) for part in parts)])
    starts, stops, last = (
        np.concatenate([np.zeros(0, np.int64), *columns])
        for columns in (
            [part.starts + at for part, at in zip(parts, first, strict=False)],
            [part.stops + at for part, at in zip(parts, first, strict=False)],
            [part.last for part in parts],
        )
    )
    return ShingleSets(hashes, starts, stops, last)


def shingle_sets(
    texts: pl.Series, params: MinHash, most: int = MOST_SHINGLES
) -> ShingleSets:
    """The shingles of each text as the signature hashes them; of more than `most` about so many, the
    smallest.

    >>> sets = shingle_sets(pl.Series(["a b c d e f", "A b, c d e g"]), MinHash())
    >>> round(float(sets.similarity(np.array([0]), np.array([1]))[0]), 3)
    0.333
    """
    return together(
        [
            _block_sets(words, docs, params=params, most=most)
            for _, words, docs in word_blocks(composed(texts))
        ]
    )


def _block_sets(
    words: np.ndarray, docs: np.ndarray, *, params: MinHash, most: int
) -> ShingleSets:
    hashes, bounds = shingles(words, docs, params.shingle_words)
    low, sizes = (hashes >> HALF).astype(np.uint32), np.diff(bounds)
    last = np.full(len(sizes), EVERY_HASH, dtype=np.int64)
    long = sizes > most
    if (
        long.any()
    ):  # hashes are even, so below this bound there are about as many as wanted
        last[long] = EVERY_HASH * most // sizes[long]
        stays = low <= np.repeat(last, sizes)
        kept = np.concatenate([[0], np.cumsum(stays)])
        low, bounds = low[stays], kept[bounds]
    bounds = bounds.astype(np.int64)
    return ShingleSets(low, bounds[:-1], bounds[1:], last)


def certain_bytes(params: MinHash) -> tuple[int, int]:
    """(equal bytes below which a pair is too unlike, and from which it is near without a look at
    the shingles).

    >>> certain_bytes(MinHash())
    (82, 110)
    """
    n, at = params.sketch_bytes, params.threshold
    spread = ERRORS * np.sqrt(at * (1 - at) / n)
    low, high = (n * _seen(at + sign * spread) for sign in (-1, 1))
    return max(1, int(np.floor(low))), min(n, int(np.ceil(high)))


def _seen(similarity: float) -> float:
    """The expected share of equal bytes."""
    return similarity + (1 - similarity) * CHANCE


def estimates(equal: np.ndarray, params: MinHash) -> np.ndarray:
    """The similarity that so many equal bytes speak for."""
    return np.maximum(0, (equal / params.sketch_bytes - CHANCE) / (1 - CHANCE))


@dataclass(frozen=True)
class Candidates:
    """Pairs of rows, each once, and the bytes in which their sketches agree (P,)."""

    left: np.ndarray
    right: np.ndarray
    equal: np.ndarray


def candidates(
    keys: np.ndarray,
    docs: np.ndarray,
    *,
    rank: np.ndarray,
    words: np.ndarray,
    sketches: np.ndarray,
    params: MinHash,
) -> Candidates:
    """Pairs that share a key and may be near. keys, docs (M,): that a document has a key; rank,
    words (D,) and sketches (D, W) of the documents, the preferred one of two first.

    Of documents with the same words only the preferred takes part. Neither the order nor the way in
    which keys are handed in pieces changes what is found, as long as a key comes whole.
    """
    order = np.lexsort((rank[docs], words[docs], keys))
    keys, docs = keys[order], docs[order]
    own = words[docs]
    first = np.ones(len(docs), dtype=np.bool_)
    first[1:] = (keys[1:] != keys[:-1]) | (own[1:] != own[:-1])
    keys, docs = keys[first], docs[first]
    order = np.lexsort((rank[docs], keys))
    keys, docs = keys[order], docs[order].astype(np.int64)
    starts = np.concatenate(
        [np.flatnonzero(np.diff(keys, prepend=~keys[:1])), [len(keys)]]
    ).astype(np.int64)
    sizes = np.diff(starts)
    parts = [np.zeros((0, 3), dtype=np.int64)]
    parts += _compared(docs, starts, sketches, params)
    for group in np.flatnonzero(sizes > EVERY):
        members = docs[starts[group] : starts[group + 1]]
        turn = int(keys[starts[group]] % np.uint64(8 * sketches.shape[1]))
        parts += _neighbours(members, turn, sketches, params)
    pairs = np.concatenate(parts)
    low, high = pairs[:, :2].min(axis=1), pairs[:, :2].max(axis=1)
    _, once = np.unique(low * len(rank) + high, return_index=True)
    return Candidates(low[once], high[once], pairs[once, 2])


def _compared(
    docs: np.ndarray, starts: np.ndarray, sketches: np.ndarray, params: MinHash
) -> Iterator[np.ndarray]:
    state = np.zeros(3 + NEIGHBOURS, dtype=np.int64)
    pairs = np.zeros((PAIRS_AT_ONCE, 3), dtype=np.int64)
    while state[0] < len(starts) - 1:
        found = compare_in_groups(
            docs,
            starts,
            len(starts) - 1,
            sketches,
            sketches.shape[1],
            _needed(sketches, params),
            EVERY,
            NEIGHBOURS,
            state,
            pairs,
            len(pairs),
        )
        yield _without_filling(pairs[:found].copy(), sketches, params)


def _neighbours(
    members: np.ndarray, turn: int, sketches: np.ndarray, params: MinHash
) -> Iterator[np.ndarray]:
    """Pairs of a large group that stand near each other when sorted by their sketches from byte `turn` on."""
    rows = np.roll(sketches[members].view(np.uint8), -turn, axis=1)
    rows = np.ascontiguousarray(rows).view(f"S{rows.shape[1]}").ravel()
    turned = members[np.argsort(rows, kind="stable")]
    for step in range(1, min(NEIGHBOURS, len(turned) - 1) + 1):
        left, right = turned[:-step].copy(), turned[step:].copy()
        equal = np.zeros(len(left), dtype=np.int64)
        compare_pairs(left, right, len(left), sketches, sketches.shape[1], equal)
        near = equal >= _needed(sketches, params)
        pairs = np.stack([left[near], right[near], equal[near]], axis=1)
        yield _without_filling(pairs, sketches, params)


def _filling(sketches: np.ndarray, params: MinHash) -> int:
    return 8 * sketches.shape[1] - params.sketch_bytes


def _needed(sketches: np.ndarray, params: MinHash) -> int:
    return certain_bytes(params)[0] + _filling(sketches, params)


def _without_filling(
    pairs: np.ndarray, sketches: np.ndarray, params: MinHash
) -> np.ndarray:
    pairs[:, 2] -= _filling(sketches, params)
    return pairs


def alike(
    found: Candidates,
    params: MinHash,
    sets: Callable[[np.ndarray], ShingleSets] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(left, right, similarity) of the candidates that are near. `sets` gives the shingles of
    sorted rows; without it the estimate decides.
    """
    similarity = estimates(found.equal, params)
    if sets is not None:
        doubtful = np.flatnonzero(found.equal < certain_bytes(params)[1])
        rows, place = np.unique(
            np.concatenate([found.left[doubtful], found.right[doubtful]]),
            return_inverse=True,
        )
        left, right = np.split(place, 2)
        if len(rows):
            similarity[doubtful] = sets(rows).similarity(left, right, params.threshold)
    near = similarity >= params.threshold
    return found.left[near], found.right[near], similarity[near]
