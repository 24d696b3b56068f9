"""Of each group of copies, which one stays, and why the others go.

Question: which copy is the best? Input: the marks of every unit and the components. Output: LOSER
records by ordinal. The one that stays has the best score, then the smaller hash of its text, then
the smaller id (where an id column is mapped) or the earlier place; a document of the index always
stays. The reason of the others is the first of exact, words, near (or bands, where nothing was
compared) in whose own group another was preferred. Documents that have copies are written as runs
sorted by component, so that a range of components is in memory at a time. Cost: 52 bytes a document
with copies, on disk.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from stages.curate.copies.edges import grouped, key_range
from stages.curate.work.numbering import Units
from stages.curate.work.sorted_runs import (
    LOSER,
    MARK,
    MEMBER,
    count,
    mapped,
    range_of,
    sorted_by_first,
    write_records,
)
from stages.curate.work.union import PARENT

PARTITION_MEMBERS = 500_000
REASONS = ("exact", "words", "near", "bands", "id")


@dataclass(frozen=True)
class RepeatTask:
    """Documents whose id (of a mapped column) occurred before, in one of `parts` ranges of the ids."""

    units: Units
    folder: Path
    parts: int

    def __call__(self, part: int) -> int:
        target = self.folder / f"losers-id-{part:05d}-of-{self.parts:05d}.bin"
        if not target.exists():
            names, ordinals = grouped(
                self.units, "names-*.bin", *key_range(part, self.parts)
            )
            ids = names["key"]
            again = np.zeros(len(ids), dtype=np.bool_)
            again[1:] = ids[1:] == ids[:-1]
            records = np.zeros(int(again.sum()), dtype=LOSER)
            records["ordinal"], records["winner_id"], records["reason"] = (
                ordinals[again],
                ids[again],
                REASONS.index("id"),
            )
            records["winner"], records["similarity"] = -1, np.nan
            write_records(target, sorted_by_first(records))
        return part


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
        marks = mapped(self.units.folders[unit] / "marks.bin", MARK)
        roots = mapped(self.parents, PARENT)[marks["row"].astype(np.int64) + start]
        marks, roots = marks[roots >= 0], roots[roots >= 0]
        members = np.zeros(len(marks), dtype=MEMBER)
        members["root"], members["ordinal"] = (
            roots,
            marks["row"].astype(np.int64) + start,
        )
        for name in ("id", "score", "order", "exact", "words"):
            members[name] = marks[name]
        if unit >= self.units.n_new:
            members["score"] = np.inf
        return members


@dataclass(frozen=True)
class LoserTask:
    """The documents that go, of the components whose smallest ordinal lies in one of `parts` ranges."""

    units: Units
    folder: Path
    parts: int
    # equal documents: the smaller id stays, else the earlier in the input
    ids_order: bool

    def __call__(self, part: int) -> int:
        target = self.folder / f"losers-{part:05d}-of-{self.parts:05d}.bin"
        if not target.exists():
            n = self.units.n_all
            low, high = n * part // self.parts, n * (part + 1) // self.parts
            runs = [
                range_of(run, MEMBER, low=low, high=high)
                for run in sorted(self.folder.glob("members-*.bin"))
            ]
            write_records(
                target,
                losers(
                    np.concatenate([np.zeros(0, dtype=MEMBER), *runs]),
                    ids_order=self.ids_order,
                ),
            )
        return part


def loser_parts(folder: Path) -> int:
    members = sum(count(run, MEMBER) for run in folder.glob("members-*.bin"))
    return max(1, -(-members // PARTITION_MEMBERS))


def preferred(members: np.ndarray, *, ids_order: bool) -> np.ndarray:
    """The order in which documents are preferred (M,): score, hash of the text, id or place."""
    ties = members["id"] if ids_order else members["ordinal"]
    return np.lexsort((members["ordinal"], ties, members["order"], -members["score"]))


def losers(members: np.ndarray, *, ids_order: bool) -> np.ndarray:
    """LOSER records by ordinal, of whole components in which all are copies of the first."""
    members = members[preferred(members, ids_order=ids_order)]
    members = sorted_by_first(members)
    fresh = np.ones(len(members), dtype=np.bool_)
    fresh[1:] = members["root"][1:] != members["root"][:-1]
    winner = np.flatnonzero(fresh)[np.cumsum(fresh) - 1]
    same = members["words"] == members["words"][winner]
    return loser_records(
        members, winner, np.where(same, 1.0, np.nan), reasons_of(members, "bands")
    )


def reasons_of(members: np.ndarray, last: str) -> np.ndarray:
    """The number of the first test in whose own group another, earlier here, was preferred (M,)."""
    exact, words = (
        ~pl.Series(np.ascontiguousarray(members[name])).is_first_distinct().to_numpy()
        for name in ("exact", "words")
    )
    known = np.where(words, REASONS.index("words"), REASONS.index(last))
    return np.where(exact, REASONS.index("exact"), known)


def loser_records(
    members: np.ndarray, winner: np.ndarray, similarity: np.ndarray, reasons: np.ndarray
) -> np.ndarray:
    """LOSER records by ordinal of the members in whose place another member stays (M,)."""
    gone = np.flatnonzero(winner != np.arange(len(members)))
    out = np.zeros(len(gone), dtype=LOSER)
    out["ordinal"] = members["ordinal"][gone]
    out["winner_id"] = members["id"][winner[gone]]
    out["winner"] = members["ordinal"][winner[gone]]
    out["similarity"], out["reason"] = similarity[gone], reasons[gone]
    return sorted_by_first(out)
