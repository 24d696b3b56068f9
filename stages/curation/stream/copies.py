"""Which documents of all units are copies, in bounded memory, and the same however the input is cut.

Question: of each group of copies, which stays and why do the others go? Input: the marks and key runs of every unit.
Output: LOSER records by ordinal (the place of a document in the whole input). Four steps, each a set of files:
    edges     equal keys, partition by partition of the key range, as pairs (first of the group, another)
    parents   union-find over all pairs: the smallest ordinal of each document's component, -1 for a document without copy
    members   of each unit the documents that have copies, as runs sorted by component
    losers    component by component, all but the one that stays
The one that stays has the best score, then the smaller hash of its text, then (by id or input order) comes first. The
reason of the others is the first of exact, words, near in whose own group another was preferred.
Cost: 16 keys of 12 bytes a document on disk, 8 bytes a document mapped in memory, and one partition (measured: 250 MB).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from stages.curation.storage import disk_errors
from stages.curation.stream.shard import unit_folder
from stages.curation.stream.sorted_runs import EDGE, KEY, LOSER, MARK, MEMBER, chunks, count, mapped, range_of, sorted_by_first, write_records
from stages.curation.stream.union import flatten, new_parents, unite
from stages.files import whole_file

PARTITION_RECORDS = 2_000_000  # keys grouped at a time: 24 MB, 150 while they are sorted (measured)
PARTITION_MEMBERS = 500_000
EDGE_CHUNK = 500_000
REASONS = ("exact", "words", "near")
KEY_SPACE = 1 << 64


@dataclass(frozen=True)
class Units:
    """Where the units' files are and how their rows count: ordinal = starts[unit] + row."""

    folder: Path
    starts: tuple[int, ...]  # one more than there are units; the last is the number of documents

    @property
    def n_units(self) -> int:
        return len(self.starts) - 1

    @property
    def n_documents(self) -> int:
        return self.starts[-1]

    def key_runs(self) -> list[tuple[int, Path]]:
        """(ordinal of row 0, run) of every key run, in unit order."""
        return [(self.starts[unit], run) for unit in range(self.n_units) for run in sorted(unit_folder(self.folder, unit).glob("keys-*.bin"))]


@dataclass(frozen=True)
class EdgeTask:
    """Pairs of equal keys in one of `parts` ranges of the key space."""

    units: Units
    folder: Path
    parts: int

    def __call__(self, part: int) -> int:
        target = self.folder / f"edges-{part:05d}-of-{self.parts:05d}.bin"
        if not target.exists():
            low, high = KEY_SPACE * part // self.parts, KEY_SPACE * (part + 1) // self.parts
            write_records(target, _equal_pairs(*self._slice(low, high)))
        return part

    def _slice(self, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
        keys, ordinals = [np.zeros(0, dtype=np.uint64)], [np.zeros(0, dtype=np.int64)]
        for start, run in self.units.key_runs():
            records = range_of(run, KEY, low, high)
            keys.append(records["key"])
            ordinals.append(records["row"].astype(np.int64) + start)
        return np.concatenate(keys), np.concatenate(ordinals)


def edge_parts(units: Units) -> int:
    """Into how many ranges the keys are cut."""
    records = sum(count(run, KEY) for _, run in units.key_runs())
    return max(1, -(-records // PARTITION_RECORDS))


def _equal_pairs(keys: np.ndarray, ordinals: np.ndarray) -> np.ndarray:
    """Each document of a group of equal keys, with the group's first; pairs once, sorted."""
    order = np.argsort(keys, kind="stable")
    keys, ordinals = keys[order], ordinals[order]
    fresh = np.ones(len(keys), dtype=np.bool_)
    fresh[1:] = keys[1:] != keys[:-1]
    firsts = ordinals[np.flatnonzero(fresh)][np.cumsum(fresh) - 1] if len(keys) else ordinals
    again = ~fresh & (firsts != ordinals)
    pairs = pl.DataFrame({"first": firsts[again], "other": ordinals[again]}).unique().sort("first", "other")
    edges = np.zeros(pairs.height, dtype=EDGE)
    edges["first"], edges["other"] = pairs["first"].to_numpy(), pairs["other"].to_numpy()
    return edges


def write_parents(units: Units, edges: Sequence[Path], target: Path) -> None:
    """Union-find over all edges into a file of one int64 a document."""
    if target.exists():
        return
    with disk_errors(target), whole_file(target) as temporary:
        parents = new_parents(temporary, units.n_documents)
        for records in chunks(edges, EDGE, EDGE_CHUNK):
            unite(parents, records["first"], records["other"])
        flatten(parents)


@dataclass(frozen=True)
class MemberTask:
    """The documents of one unit that have copies, sorted by component."""

    units: Units
    folder: Path
    parents: Path

    def __call__(self, unit: int) -> int:
        target = self.folder / f"members-{unit:06d}.bin"
        if not target.exists():
            write_records(target, sorted_by_first(self._members(unit)))
        return unit

    def _members(self, unit: int) -> np.ndarray:
        start = self.units.starts[unit]
        marks = mapped(unit_folder(self.units.folder, unit) / "marks.bin", MARK)
        roots = mapped(self.parents, np.dtype("<i8"))[marks["row"].astype(np.int64) + start]
        marks, roots = marks[roots >= 0], roots[roots >= 0]
        members = np.zeros(len(marks), dtype=MEMBER)
        members["root"], members["ordinal"] = roots, marks["row"].astype(np.int64) + start
        for name in ("id", "score", "order", "exact", "words"):
            members[name] = marks[name]
        return members


@dataclass(frozen=True)
class LoserTask:
    """The documents that go, of the components whose smallest ordinal lies in one of `parts` ranges."""

    units: Units
    folder: Path
    parts: int
    ids_order: bool  # equal documents: the smaller id stays, else the earlier in the input

    def __call__(self, part: int) -> int:
        target = self.folder / f"losers-{part:05d}-of-{self.parts:05d}.bin"
        if not target.exists():
            n = self.units.n_documents
            low, high = n * part // self.parts, n * (part + 1) // self.parts
            runs = [range_of(run, MEMBER, low, high) for run in sorted(self.folder.glob("members-*.bin"))]
            write_records(target, losers(np.concatenate([np.zeros(0, dtype=MEMBER), *runs]), ids_order=self.ids_order))
        return part


def loser_parts(folder: Path) -> int:
    members = sum(count(run, MEMBER) for run in folder.glob("members-*.bin"))
    return max(1, -(-members // PARTITION_MEMBERS))


def losers(members: np.ndarray, *, ids_order: bool) -> np.ndarray:
    """LOSER records by ordinal, of whole components."""
    ties = members["id"] if ids_order else members["ordinal"]
    members = members[np.lexsort((members["ordinal"], ties, members["order"], -members["score"], members["root"]))]
    first = np.ones(len(members), dtype=np.bool_)
    first[1:] = members["root"][1:] != members["root"][:-1]
    winners = members["id"][np.flatnonzero(first)][np.cumsum(first) - 1] if len(members) else members["id"]
    exact, words = (~pl.Series(np.ascontiguousarray(members[name])).is_first_distinct().to_numpy() for name in ("exact", "words"))
    out = np.zeros(len(members), dtype=LOSER)
    out["ordinal"], out["winner_id"] = members["ordinal"], winners
    out["reason"] = np.where(exact, REASONS.index("exact"), np.where(words, REASONS.index("words"), REASONS.index("near")))
    return sorted_by_first(out[~first])
