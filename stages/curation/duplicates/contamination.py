"""Which training documents repeat held-out text: exactly, nearly, or in part.

Question: would a held-out loss be flattered? Input: training and reference documents. Output: the ids to remove and
why. Whole copies are found by their signatures, and near ones compared as in `alike`; parts by n-grams of 13 words
(the length that GPT-3 and DCLM use) that also occur in the reference. Cost: 28 MB of training text a CPU-second
(measured); memory 8 bytes a reference word (16 while they are sorted), up to 2.4 kB a reference document, 16 MB and
one block.
"""

from collections.abc import Iterable

import numpy as np
import polars as pl

from stages.curation.duplicates.alike import (
    Candidates,
    ShingleSets,
    alike,
    certain_bytes,
    shingle_sets,
    together,
)
from stages.curation.duplicates.minhash import shingles, signatures, sketch_matrix
from stages.curation.duplicates.settings import NGRAM_WORDS, OVERLAP_SHARE, MinHash
from stages.curation.kernels.alike import compare_pairs
from stages.curation.text.characters import blocks, composed, plain_words

SLICE = 1 << 20
EQUAL = ("exact", "words")
# of a reference document: exact for 512 shingles, a standard error of .018 at .8 for more
REFERENCE_SHINGLES = 512
MOST_OTHERS = (
    64  # reference documents of one band that a document is compared with (assumed)
)
SIEVE_BITS = 24  # 16 MB table; answers "surely absent" for nearly all n-grams


def near_duplicates_of(
    train: pl.DataFrame | Iterable[pl.DataFrame],
    reference: pl.DataFrame | Iterable[pl.DataFrame],
    *,
    params: MinHash = MinHash(),
    ngram_words: int = NGRAM_WORDS,
    overlap_share: float | None = OVERLAP_SHARE,
) -> pl.DataFrame:
    """Columns `id`, `reason` (exact, words, near or overlap), `overlap` (share of its n-grams found in the reference).

    One row for each training document to remove, in input order. `overlap_share` 0 removes a document that shares any
    n-gram, as is usual against evaluation sets; with None only copies are found. A reference text of fewer than
    `ngram_words` words has no n-gram: only copies of it are found.
    """
    known = Reference(
        reference, params=params, ngram_words=ngram_words, overlap_share=overlap_share
    )
    frames = [train] if isinstance(train, pl.DataFrame) else train
    found = [
        frame.select("id")
        .hstack(known.judge(frame))
        .filter(pl.col("reason").is_not_null())
        for frame in frames
    ]
    empty = pl.DataFrame(
        schema={"id": pl.String, "reason": pl.String, "overlap": pl.Float64}
    )
    return pl.concat([empty, *found])


class Reference:
    """Held-out text, ready to be compared with batch after batch of training text; it may come as a stream itself."""

    def __init__(
        self,
        reference: pl.DataFrame | Iterable[pl.DataFrame],
        *,
        params: MinHash = MinHash(),
        ngram_words: int = NGRAM_WORDS,
        overlap_share: float | None = OVERLAP_SHARE,
    ) -> None:
        self.params, self.overlap_share = params, overlap_share
        grams = _NgramSet(ngram_words)
        parts, sets = [signatures([], params).drop("id")], []
        for frame in [reference] if isinstance(reference, pl.DataFrame) else reference:
            parts.append(signatures(frame, params).drop("id"))
            sets.append(shingle_sets(frame["text"], params, most=REFERENCE_SHINGLES))
            if overlap_share is not None:
                grams.add(frame["text"])
        known = pl.concat(parts)
        self.sketches, self.sets = sketch_matrix(known), together(sets)
        self.bands = {
            name: _sorted_keys(known[name].to_numpy()) for name in params.band_names()
        }
        self.known = {name: np.unique(known[name].to_numpy()) for name in EQUAL}
        self.grams = grams.closed() if overlap_share is not None else None

    def judge(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Columns `reason` (null for clean text) and `overlap`, one row a document in input order."""
        table = signatures(frame, self.params)
        found = {
            name: contains(values, table[name].to_numpy())
            for name, values in self.known.items()
        }
        overlap = (
            np.zeros(frame.height)
            if self.grams is None
            else self.grams.overlap(frame["text"])
        )
        limit = 2.0 if self.overlap_share is None else self.overlap_share
        reason = (
            pl.when("exact")
            .then(pl.lit("exact"))
            .when("words")
            .then(pl.lit("words"))
            .when("near")
            .then(pl.lit("near"))
            .when((pl.col("overlap") > 0) & (pl.col("overlap") >= limit))
            .then(pl.lit("overlap"))
        )
        verdicts = {
            **found,
            "near": self._near(frame["text"], table, found["words"]),
            "overlap": overlap,
        }
        return pl.DataFrame(verdicts).select(reason=reason, overlap="overlap")

    def _near(
        self, texts: pl.Series, table: pl.DataFrame, settled: np.ndarray
    ) -> np.ndarray:
        """Which documents are near copies of one of the reference (D,); those of equal words are settled."""
        docs, others = self._candidates(table, settled)
        both = np.concatenate([sketch_matrix(table), self.sketches])
        equal = np.zeros(len(docs), dtype=np.int64)
        compare_pairs(docs, others + len(table), len(docs), both, both.shape[1], equal)
        equal -= 8 * both.shape[1] - self.params.sketch_bytes
        maybe = equal >= certain_bytes(self.params)[0]
        found = Candidates(docs[maybe], others[maybe] + len(table), equal[maybe])
        left, _, _ = alike(
            found, self.params, lambda rows: self._sets(texts, len(table), rows)
        )
        near = np.zeros(len(table), dtype=np.bool_)
        near[left] = True
        return near

    def _candidates(
        self, table: pl.DataFrame, settled: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(rows, reference documents) that share a band, each pair once; MOST_OTHERS a band and row."""
        rows = np.flatnonzero(~settled)
        pairs = [np.zeros(0, dtype=np.int64)]
        for name, (keys, places) in self.bands.items():
            asked = table[name].to_numpy()[rows]
            first = np.searchsorted(keys, asked, side="left")
            stop = np.searchsorted(keys, asked, side="right")
            n = np.minimum(stop - first, MOST_OTHERS)
            start = np.repeat(first - (np.cumsum(n) - n), n)
            others = places[start + np.arange(int(n.sum()))]
            pairs.append(np.repeat(rows, n) * len(self.sketches) + others)
        once = np.unique(np.concatenate(pairs))
        return once // max(1, len(self.sketches)), once % max(1, len(self.sketches))

    def _sets(self, texts: pl.Series, n: int, rows: np.ndarray) -> ShingleSets:
        own = rows < n
        return together(
            [
                shingle_sets(texts.gather(rows[own]), self.params),
                self.sets.taken(rows[~own] - n),
            ]
        )


def _sorted_keys(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(keys, kind="stable")
    return keys[order], order


class _NgramSet:
    """The n-grams of a reference, sorted, behind a table of bits that turns most questions away."""

    def __init__(self, n: int) -> None:
        self.n, self.hashes = n, np.zeros(0, dtype=np.uint64)
        self.waiting: list[np.ndarray] = []

    def add(self, texts: pl.Series) -> None:
        self.waiting += [
            shingles(*plain_words(block), self.n)[0]
            for _, block in blocks(composed(texts))
        ]

    def closed(self) -> "_NgramSet":
        """Ready for questions; n-grams of 13 words are nearly all different, so they are sorted once and in place."""
        hashes = np.concatenate([self.hashes, *self.waiting])
        self.waiting = []
        hashes.sort()
        fresh = np.ones(len(hashes), dtype=np.bool_)
        fresh[1:] = hashes[1:] != hashes[:-1]
        self.hashes = hashes if fresh.all() else hashes[fresh]
        self.sieve = np.zeros(1 << SIEVE_BITS, dtype=np.bool_)
        for first in range(0, len(self.hashes), SLICE):
            self.sieve[self._low(self.hashes[first : first + SLICE])] = True
        return self

    @staticmethod
    def _low(hashes: np.ndarray) -> np.ndarray:
        return (hashes & np.uint64((1 << SIEVE_BITS) - 1)).astype(np.int64)

    def overlap(self, texts: pl.Series) -> np.ndarray:
        """Share of each document's n-grams that the reference holds; 0 for a document of fewer than n words."""
        shares = np.zeros(len(texts))
        for rows, block in blocks(composed(texts)):
            hashes, bounds = shingles(*plain_words(block), self.n)
            maybe = np.flatnonzero(self.sieve[self._low(hashes)])
            hits = maybe[contains(self.hashes, hashes[maybe])]
            counts = np.bincount(
                np.searchsorted(bounds, hits, side="right") - 1, minlength=block.n_docs
            )
            shares[rows] = counts / np.maximum(np.diff(bounds), 1)
        return shares


def contains(known: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Which of `hashes` are among the sorted `known` ones."""
    if len(known) == 0:
        return np.zeros(len(hashes), dtype=np.bool_)
    place = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    return known[place] == hashes
