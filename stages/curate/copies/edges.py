"""Which documents share a key: pairs, and the components that they form, in bounded memory.

Question: who is a copy of whom? Input: the key runs of every unit. Output: EDGE records, partition by partition of the
key range, as pairs (first of the group, another); then one parent a document, the smallest ordinal of its component, -1
for a document without copy. Documents whose id occurred before take no part. Nothing is compared here: see alike_pairs.
Cost: 16 keys of 12 bytes a document on disk, 8 bytes a document mapped in memory, and one partition, 150 MB (measured).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from stages.curate.work.numbering import Units
from stages.curate.work.sorted_runs import (
    EDGE,
    KEY,
    LOSER,
    chunks,
    count,
    range_of,
    stable_order,
    write_records,
)
from stages.curate.work.union import flatten, new_parents, unite
from stages.curation.reading.storage import disk_errors
from stages.foundation.files import whole_file

# keys grouped at a time: 24 MB, 150 while they are sorted (measured)
PARTITION_RECORDS = 2_000_000
EDGE_CHUNK = 500_000
KEY_SPACE = 1 << 64
REPEATED = "losers-id-*.bin"


@dataclass(frozen=True)
class EdgeTask:
    """Pairs of equal keys in one of `parts` ranges of the key space."""

    units: Units
    folder: Path
    parts: int

    def __call__(self, part: int) -> int:
        target = self.folder / f"edges-{part:05d}-of-{self.parts:05d}.bin"
        if not target.exists():
            low, high = key_range(part, self.parts)
            pairs = equal_pairs(*keys_between(self.units, self.folder, low, high))
            write_records(target, pairs)
        return part


def keys_between(
    units: Units, folder: Path, low: int, high: int
) -> tuple[np.ndarray, np.ndarray]:
    """(keys, ordinals), sorted by key, of the documents whose id did not occur before."""
    records, ordinals = grouped(units, "keys-*.bin", low=low, high=high)
    repeated = np.concatenate(
        [
            np.zeros(0, dtype=np.int64),
            *(
                part["ordinal"]
                for part in chunks(sorted(folder.glob(REPEATED)), LOSER, EDGE_CHUNK)
            ),
        ]
    )
    if not len(repeated):
        return records["key"].copy(), ordinals
    once = ~np.isin(ordinals, repeated)
    return records["key"][once], ordinals[once]


def grouped(
    units: Units, pattern: str, low: int, high: int, kind: np.dtype = KEY
) -> tuple[np.ndarray, np.ndarray]:
    """Records with low <= key < high, sorted by key and then in the order of the input, and their ordinals."""
    parts, ordinals = [np.zeros(0, dtype=kind)], [np.zeros(0, dtype=np.int64)]
    for start, run in units.runs(pattern):
        parts.append(range_of(run, kind, low=low, high=high))
        ordinals.append(parts[-1]["row"].astype(np.int64) + start)
    together, places = np.concatenate(parts), np.concatenate(ordinals)
    # runs come in order of their ordinals
    order = stable_order(together["key"])
    return np.take(together, order), places[order]


def key_parts(units: Units, pattern: str = "keys-*.bin", kind: np.dtype = KEY) -> int:
    """Into how many ranges the keys are cut."""
    records = sum(count(run, kind) for _, run in units.runs(pattern))
    return max(1, -(-records // PARTITION_RECORDS))


def key_range(part: int, parts: int) -> tuple[int, int]:
    """The keys low <= key < high of one part."""
    return KEY_SPACE * part // parts, KEY_SPACE * (part + 1) // parts


def equal_pairs(keys: np.ndarray, ordinals: np.ndarray) -> np.ndarray:
    """Each document of a group of equal keys, with the group's first; pairs once, sorted."""
    fresh = np.ones(len(keys), dtype=np.bool_)
    fresh[1:] = keys[1:] != keys[:-1]
    firsts = (
        ordinals[np.flatnonzero(fresh)][np.cumsum(fresh) - 1] if len(keys) else ordinals
    )
    again = ~fresh & (firsts != ordinals)
    pairs = (
        pl.DataFrame({"first": firsts[again], "other": ordinals[again]})
        .unique()
        .sort("first", "other")
    )
    edges = np.zeros(pairs.height, dtype=EDGE)
    edges["first"], edges["other"] = (
        pairs["first"].to_numpy(),
        pairs["other"].to_numpy(),
    )
    return edges


def write_parents(
    units: Units, edges: Sequence[Path], target: Path, kind: np.dtype = EDGE
) -> None:
    """Union-find over all edges (`first` and `other`) into a file of one int64 a document."""
    if target.exists():
        return
    with disk_errors(target), whole_file(target) as temporary:
        parents = new_parents(temporary, units.n_all)
        for records in chunks(edges, kind, EDGE_CHUNK):
            unite(parents, records["first"], records["other"])
        flatten(parents)
