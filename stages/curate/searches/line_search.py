"""Which lines and paragraphs of what is left stand in the input before, and which documents go for
them.

Question: what repeats? Input: the LINE runs of every unit, the documents dropped so far. Output:
REPEAT records, the occurrences that are to go: all but the first in the order that exact copies are
chosen by (the smaller id where an id column is mapped, else the earlier place). Where documents
with too large a share are dropped, that comes first and the repeats are sought again without them,
so that what is cut out of a kept document stands in a kept one. Equality is of 64-bit hashes of the
whole line, as in line_copies.py. Cost: 20 bytes a line on disk, one range of 2 million lines in
memory.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.curate.copies.edges import grouped, key_range
from stages.curate.searches.copy_keys import repeat_kinds
from stages.curate.searches.drops import is_gone, left, reason_names, write_drops
from stages.curate.searches.line_cuts import covered, cut_texts, repeats_of
from stages.curate.work.numbering import Units
from stages.curate.work.sorted_runs import LINE, MARK, REPEAT, mapped, write_records
from stages.foundation.files import write_json
from stages.settings.curate import CurateSettings

MOST = 5  # repeated lines that are shown
# before and after documents with too large a share are dropped
SEARCHES = ("first", "last")


@dataclass(frozen=True)
class LineTask:
    """The repeats whose hash lies in one of `parts` ranges; `gone` says who is not looked at."""

    units: Units
    folder: Path
    settings: CurateSettings
    kind: str  # lines or paragraphs
    search: str
    parts: int

    def __call__(self, part: int) -> int:
        target = (
            self.folder
            / f"repeats-{self.search}-{self.kind}-{part:05d}-of-{self.parts:05d}.bin"
        )
        if not target.exists():
            records, ordinals = grouped(
                self.units, f"{self.kind}-*.bin", *key_range(part, self.parts), LINE
            )
            here = ~is_gone(self.folder / f"gone-{self.search}.bin", ordinals)
            records, ordinals, sizes, firsts = self._several(
                records[here], ordinals[here]
            )
            self._write_most(
                target.with_suffix(".json"), records, ordinals, sizes, firsts
            )
            goes = (
                ~firsts
                if repeat_kinds(self.settings)[self.kind].keep == "first"
                else np.ones(len(records), dtype=np.bool_)
            )
            write_records(target, _repeats(records[goes], ordinals[goes]))
        return part

    def _several(
        self, records: np.ndarray, ordinals: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """(records, ordinals, how often each occurs, whether it is the first) of what occurs often enough, by hash."""
        _, group, sizes = np.unique(
            records["key"], return_inverse=True, return_counts=True
        )
        often = sizes[group] >= repeat_kinds(self.settings)[self.kind].min_copies
        records, ordinals, group = records[often], ordinals[often], group[often]
        order = np.lexsort((records["start"], ordinals, self._names(ordinals), group))
        group = group[order]
        firsts = np.diff(group, prepend=-1) != 0
        return records[order], ordinals[order], sizes[group], firsts

    def _names(self, ordinals: np.ndarray) -> np.ndarray:
        """The ids of documents where ids are what orders them (n,), else zeros."""
        names = np.zeros(len(ordinals), dtype=np.uint64)
        if self.settings.id is None:
            return names
        for unit in range(self.units.n_new):
            start, end = self.units.starts[unit], self.units.starts[unit + 1]
            own = (ordinals >= start) & (ordinals < end)
            marks = mapped(self.units.folders[unit] / "marks.bin", MARK)
            names[own] = marks["id"][
                np.searchsorted(marks["row"], ordinals[own] - start)
            ]
        return names

    def _write_most(
        self,
        target: Path,
        records: np.ndarray,
        ordinals: np.ndarray,
        sizes: np.ndarray,
        firsts: np.ndarray,
    ) -> None:
        """[-characters that repeat, ordinal, start, stop, occurrences] of the groups that repeat most."""
        shown = records[firsts]
        chars = (sizes[firsts] - 1) * (shown["stop"].astype(np.int64) - shown["start"])
        rows = zip(
            (-chars).tolist(),
            ordinals[firsts].tolist(),
            shown["start"].tolist(),
            shown["stop"].tolist(),
            sizes[firsts].tolist(),
            strict=True,
        )
        write_json(target, sorted(map(list, rows))[:MOST])


def _repeats(records: np.ndarray, ordinals: np.ndarray) -> np.ndarray:
    out = np.zeros(len(records), dtype=REPEAT)
    out["ordinal"], out["start"], out["stop"] = (
        ordinals,
        records["start"],
        records["stop"],
    )
    return out[np.lexsort((out["start"], out["ordinal"]))]


@dataclass(frozen=True)
class RepeatedTask:
    """The documents of one unit that go: in the first search those with too large a share, in the
    last those that the cut leaves nothing of.
    """

    units: Units
    folder: Path
    settings: CurateSettings
    search: str

    def __call__(self, unit: int) -> int:
        target = self.folder / f"losers-{self.search}-lines-{unit:06d}.bin"
        if not target.exists():
            ordinals, reasons = self._dropped(unit)
            write_drops(target, ordinals, reasons)
        return unit

    def _dropped(self, unit: int) -> tuple[np.ndarray, np.ndarray]:
        low, high = self.units.starts[unit], self.units.starts[unit + 1]
        found = repeats_of(
            self.folder, self.settings, search=self.search, low=low, high=high
        )
        names, dropped, reasons = (
            reason_names(self.settings),
            [np.zeros(0, dtype=np.int64)],
            [np.zeros(0, dtype=np.int64)],
        )
        for ordinals, frame in left(
            self.units,
            self.folder,
            low=low,
            high=high,
            columns=["text", "n_chars", "reason"],
        ):
            for kind, goes in (
                self._by_share(ordinals, frame, found)
                if self.search == "first"
                else self._by_cut(ordinals, frame, found)
            ).items():
                goes &= ~np.isin(ordinals, np.concatenate(dropped))
                dropped.append(ordinals[goes])
                reasons.append(
                    np.full(int(goes.sum()), names.index(f"repeated_{kind}"))
                )
        return np.concatenate(dropped), np.concatenate(reasons)

    def _by_share(self, ordinals, frame, found) -> dict[str, np.ndarray]:
        limits = {
            kind: part.drop_above
            for kind, part in repeat_kinds(self.settings).items()
            if part.drop_above is not None
        }
        chars = frame["n_chars"].to_numpy()
        return {
            kind: covered([found[kind]], ordinals, chars)[1] > limit * chars
            for kind, limit in limits.items()
        }

    def _by_cut(self, ordinals, frame, found) -> dict[str, np.ndarray]:
        cut = [kind for kind, part in repeat_kinds(self.settings).items() if part.cut]
        if not cut:
            return {}
        texts = cut_texts(frame["text"], ordinals, [found[kind] for kind in cut])
        return {cut[0]: (texts.str.strip_chars() == "").to_numpy().copy()}
