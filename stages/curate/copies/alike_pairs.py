"""Which documents that share a key are alike: candidates, then what the shingles say, in bounded memory.

Question: who is a near copy of whom? Input: the key runs, marks and sketches of every unit. Output:
CANDIDATE records, partition by partition of the key range; then ALIKE records, partition by partition
of the documents, of the pairs whose similarity is at least the threshold. Both are the same for any
cut of the work: a key is compared whole, and a pair is judged by its two documents alone
(curation/duplicates/alike.py). Cost: 18 bytes a candidate on disk; one partition of keys with the
sketches of the documents in it that share one, 200 MB at most (computed).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.curate.copies.edges import equal_pairs, key_range, keys_between
from stages.curate.copies.losers import preferred
from stages.curate.copies.shingle_files import stored_sets
from stages.curate.work.numbering import Units
from stages.curate.work.sorted_runs import (
    ALIKE,
    CANDIDATE,
    MARK,
    MEMBER,
    chunks,
    count,
    mapped,
    range_of,
    sorted_by_first,
    write_records,
)
from stages.curation.duplicates.alike import (
    Candidates,
    alike,
    candidates,
    certain_bytes,
)
from stages.curation.duplicates.settings import MinHash
from stages.curation.reading.storage import disk_errors
from stages.foundation.files import whole_file

SAME_WORDS = 0xFFFF
PARTITION_PAIRS = 500_000
PAIRS_AT_ONCE = 20_000  # of which shingles are in memory: 40 MB of pages, 640 at most
CHUNK = 500_000


@dataclass(frozen=True)
class CandidateTask:
    """Pairs of documents in one of `parts` ranges of the key space that may be alike.

    Keys whose lowest bit is set are of the same words; others are of a band.
    """

    units: Units
    folder: Path
    parts: int
    params: MinHash
    ids_order: bool

    def __call__(self, part: int) -> int:
        target = self.folder / f"candidates-{part:05d}-of-{self.parts:05d}.bin"
        if not target.exists():
            low, high = key_range(part, self.parts)
            keys, ordinals = keys_between(self.units, self.folder, low, high)
            of_words = (keys & np.uint64(1)).astype(np.bool_)
            same = equal_pairs(keys[of_words], ordinals[of_words])
            near = self._near(keys[~of_words], ordinals[~of_words])
            records = np.zeros(len(same) + len(near), dtype=CANDIDATE)
            records[len(same) :] = near
            records["first"][: len(same)] = same["first"]
            records["other"][: len(same)] = same["other"]
            records["equal"][: len(same)] = SAME_WORDS
            write_records(target, sorted_by_first(records))
        return part

    def _near(self, keys: np.ndarray, ordinals: np.ndarray) -> np.ndarray:
        again = np.zeros(len(keys), dtype=np.bool_)
        again[1:] = keys[1:] == keys[:-1]
        again[:-1] |= again[1:]
        docs, place = np.unique(ordinals[again], return_inverse=True)
        members, sketches = members_of(self.units, docs, self.params)
        rank = np.empty(len(docs), dtype=np.int64)
        rank[preferred(members, ids_order=self.ids_order)] = np.arange(len(docs))
        found = candidates(
            keys[again],
            place,
            rank=rank,
            words=np.ascontiguousarray(members["words"]),
            sketches=sketches,
            params=self.params,
        )
        records = np.zeros(len(found.left), dtype=CANDIDATE)
        records["first"], records["other"] = docs[found.left], docs[found.right]
        records["equal"] = found.equal
        return records


def members_of(
    units: Units, ordinals: np.ndarray, params: MinHash
) -> tuple[np.ndarray, np.ndarray]:
    """(MEMBER records without a root, sketches) of sorted ordinals."""
    members = np.zeros(len(ordinals), dtype=MEMBER)
    members["ordinal"] = ordinals
    sketches = np.zeros((len(ordinals), params.sketch_words), dtype=np.uint64)
    row_bytes = np.dtype(("<u8", (params.sketch_words,)))
    for unit, folder in enumerate(units.folders):
        start, end = units.starts[unit], units.starts[unit + 1]
        first, stop = np.searchsorted(ordinals, [start, end])
        if first == stop:
            continue
        marks = mapped(folder / "marks.bin", MARK)
        place = np.searchsorted(marks["row"], ordinals[first:stop] - start)
        found = marks[place]
        for name in ("id", "score", "order", "exact", "words"):
            members[name][first:stop] = found[name]
        if unit >= units.n_new:  # an old document stays
            members["score"][first:stop] = np.inf
        sketches[first:stop] = mapped(folder / "sketches.bin", row_bytes)[place]
    return members, sketches


def _once(pairs: np.ndarray, n: int) -> np.ndarray:
    """Each pair once, in order; of documents of the same words that is what counts."""
    places = pairs["first"] * n + pairs["other"]
    order = np.lexsort((-pairs["equal"].astype(np.int64), places))
    fresh = np.diff(places[order], prepend=-1) != 0
    return pairs[order[fresh]]


def write_wanted(
    files: list[Path], params: MinHash, n_documents: int, target: Path
) -> None:
    """One byte a document, 1 for one whose shingles are needed."""
    if target.exists() or n_documents == 0:
        return
    certain = certain_bytes(params)[1]
    with disk_errors(target), whole_file(target) as temporary:
        wanted = np.memmap(temporary, dtype=np.uint8, mode="w+", shape=(n_documents,))
        for records in chunks(files, CANDIDATE, CHUNK):
            doubtful = records[records["equal"] < certain]
            wanted[doubtful["first"]] = 1
            wanted[doubtful["other"]] = 1


def pair_parts(files: list[Path]) -> int:
    """Into how many ranges of documents the candidates are cut."""
    records = sum(count(file, CANDIDATE) for file in files)
    return max(1, -(-records // PARTITION_PAIRS))


@dataclass(frozen=True)
class AlikeTask:
    """The candidates that are alike indeed, of the first documents in one of `parts` ranges."""

    units: Units
    folder: Path
    parts: int
    params: MinHash

    def __call__(self, part: int) -> int:
        target = self.folder / f"alike-{part:05d}-of-{self.parts:05d}.bin"
        if not target.exists():
            n = self.units.n_all
            low, high = n * part // self.parts, n * (part + 1) // self.parts
            runs = [
                range_of(run, CANDIDATE, low=low, high=high)
                for run in sorted(self.folder.glob("candidates-*.bin"))
            ]
            pairs = _once(np.concatenate([np.zeros(0, dtype=CANDIDATE), *runs]), n)
            parts = [np.zeros(0, dtype=ALIKE)]
            for first in range(0, len(pairs), PAIRS_AT_ONCE):
                parts.append(self._alike(pairs[first : first + PAIRS_AT_ONCE]))
            write_records(target, np.concatenate(parts))
        return part

    def _alike(self, pairs: np.ndarray) -> np.ndarray:
        same = pairs["equal"] == SAME_WORDS
        docs, place = np.unique(
            np.concatenate([pairs["first"], pairs["other"]]), return_inverse=True
        )
        left, right = np.split(place, 2)
        found = Candidates(
            left[~same], right[~same], pairs["equal"][~same].astype(np.int64)
        )
        near = alike(
            found,
            self.params,
            lambda rows: stored_sets(self.units, self.folder, docs[rows]),
        )
        records = np.zeros(int(same.sum()) + len(near[0]), dtype=ALIKE)
        records["first"] = docs[np.concatenate([left[same], near[0]])]
        records["other"] = docs[np.concatenate([right[same], near[1]])]
        records["similarity"] = np.concatenate([np.ones(int(same.sum())), near[2]])
        return records
