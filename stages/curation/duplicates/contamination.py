"""Which training documents repeat held-out text: exactly, nearly, or in part.

Question: would a held-out loss be flattered? Input: training and reference documents. Output: the ids to remove and
why. Whole copies are found by their signatures; parts by n-grams of 13 words (the length that GPT-3 and DCLM use)
that also occur in the reference. Cost: 28 MB of training text a CPU-second (measured); memory 8 bytes a reference
word (16 while they are sorted), 16 MB and one block.
"""

from collections.abc import Iterable

import numpy as np
import polars as pl

from stages.curation.duplicates.minhash import MinHash, shingles, signatures
from stages.curation.text.characters import blocks, plain_words

NGRAM_WORDS = 13  # Brown et al. 2020, appendix C
OVERLAP_SHARE = 0.2  # a fifth of a document's 13-grams (assumed; paragraph-level removal in DCLM uses 0.8)
SLICE = 1 << 20
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
        parts = [signatures([], params).drop("id")]
        for frame in [reference] if isinstance(reference, pl.DataFrame) else reference:
            parts.append(signatures(frame, params).drop("id"))
            if overlap_share is not None:
                grams.add(frame["text"])
        known = pl.concat(parts)
        self.known = {name: np.unique(known[name].to_numpy()) for name in known.columns}
        self.grams = grams.closed() if overlap_share is not None else None

    def judge(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Columns `reason` (null for clean text) and `overlap`, one row a document in input order."""
        table = signatures(frame, self.params)
        found = {
            name: contains(values, table[name].to_numpy())
            for name, values in self.known.items()
        }
        near = np.logical_or.reduce([found[name] for name in self.params.band_names()])
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
            "exact": found["exact"],
            "words": found["words"],
            "near": near,
            "overlap": overlap,
        }
        return pl.DataFrame(verdicts).select(reason=reason, overlap="overlap")


class _NgramSet:
    """The n-grams of a reference, sorted, behind a table of bits that turns most questions away."""

    def __init__(self, n: int) -> None:
        self.n, self.hashes = n, np.zeros(0, dtype=np.uint64)
        self.waiting: list[np.ndarray] = []

    def add(self, texts: pl.Series) -> None:
        self.waiting += [
            shingles(*plain_words(block), self.n)[0] for _, block in blocks(texts)
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
        for rows, block in blocks(texts):
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
