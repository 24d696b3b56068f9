"""The shingles of the documents that have to be compared exactly, on disk between two tasks.

Question: what do these documents say? Input: staged texts; for documents of an index what it keeps.
Output: a folder a unit with `rows.bin`, `hashes.bin`, `starts.bin`, `stops.bin` and `last.bin`, and the sets of any
documents of many units. Cost: 60 MB of text a CPU-second, 4 bytes a shingle (measured).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.curate.work.numbering import Units
from stages.curate.work.sorted_runs import mapped, write_records
from stages.curate.work.staged import staged_rows
from stages.curation.duplicates.alike import ShingleSets, shingle_sets, together
from stages.curation.duplicates.settings import MinHash
from stages.foundation.files import whole_folder

ROW, HASH, PLACE = np.dtype("<i8"), np.dtype("<u4"), np.dtype("<i8")
PLACES = ("starts", "stops", "last")
KEPT = "shingles"  # folder of an index's unit
# of a document of an index: exact for 512 shingles, a standard error of .018 at .8 for more
INDEX_SHINGLES = 512


@dataclass(frozen=True)
class ShingleTask:
    """The shingles of the documents of one unit of the input that `wanted` names."""

    units: Units
    folder: Path
    wanted: Path
    params: MinHash

    def __call__(self, unit: int) -> int:
        target = self.folder / f"shingles-{unit:06d}"
        if not target.exists():
            start, end = self.units.starts[unit], self.units.starts[unit + 1]
            wanted = mapped(self.wanted, np.dtype("u1"))[start:end].astype(np.bool_)
            rows, sets = shingles_of(self.units, start, wanted, self.params)
            with whole_folder(target) as temporary:
                write_sets(temporary, rows, sets)
        return unit


def shingles_of(
    units: Units, start: int, wanted: np.ndarray, params: MinHash, **most: int
) -> tuple[np.ndarray, ShingleSets]:
    """(rows, their shingles) of the documents from ordinal `start` on that are wanted (D,)."""
    parts = []
    for first, frame in staged_rows(
        units, start, start + len(wanted), columns=["text"], wanted=wanted
    ):
        chosen = wanted[first - start : first - start + frame.height]
        parts.append(shingle_sets(frame["text"].filter(chosen), params, **most))
    return np.flatnonzero(wanted), together(parts)


def write_sets(folder: Path, rows: np.ndarray, sets: ShingleSets) -> None:
    write_records(folder / "rows.bin", rows.astype(ROW))
    write_records(folder / "hashes.bin", sets.hashes)
    for name in PLACES:
        write_records(folder / f"{name}.bin", getattr(sets, name).astype(PLACE))


def stored_sets(units: Units, folder: Path, ordinals: np.ndarray) -> ShingleSets:
    """The shingles of sorted ordinals, of the input and of an index."""
    parts = []
    for unit in range(len(units.folders)):
        start, end = units.starts[unit], units.starts[unit + 1]
        first, stop = np.searchsorted(ordinals, [start, end])
        if first == stop:
            continue
        own = unit < units.n_new
        place = folder / f"shingles-{unit:06d}" if own else units.folders[unit] / KEPT
        rows = np.searchsorted(
            mapped(place / "rows.bin", ROW), ordinals[first:stop] - start
        )
        sets = ShingleSets(
            mapped(place / "hashes.bin", HASH),
            *(mapped(place / f"{name}.bin", PLACE) for name in PLACES),
        )
        parts.append(sets.taken(rows).compact())
    return together(parts)
