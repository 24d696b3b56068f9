"""What earlier runs kept, so that a new batch is compared with it without reading it again.

Question: which of the new documents are copies of old ones? Input and output: a folder with one
segment a run: marks, sketches, key runs and up to 512 shingles of the documents that it kept, in the
format of a unit. An old document always stays; a new copy of it is dropped and names it in
`duplicate_of`. A run does not see its own segment, so running it again changes nothing, and where its
output replaces an older one, the older one's segment goes with that. One run at a time works with an
index, whose files are held to their sizes, and up to 256 MB of them to their hashes. Cost: 430 bytes a
kept document on disk and 4 a word, at most 2,048; 8 bytes an old document mapped in memory during a run.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.curate.copies.shingle_files import (
    INDEX_SHINGLES,
    KEPT,
    shingles_of,
    write_sets,
)
from stages.curate.work.numbering import Units
from stages.curate.work.sorted_runs import (
    KEY,
    LOSER,
    MARK,
    count,
    mapped,
    range_of,
    write_records,
)
from stages.curation.reading.storage import disk_errors
from stages.foundation import hashes
from stages.foundation.errors import InputError
from stages.foundation.files import whole_folder
from stages.foundation.processes.one_holder import one_holder
from stages.foundation.sealed import read_sealed, write_sealed
from stages.settings.curate import DedupSettings

SETTINGS, HASHES = "index.json", "hashes.json"
CURE = "give another index and curate the old input with it once"
FIELDS = ("policy", "shingle_words", "bands", "rows", "seed")
FORMAT = 3


@contextmanager
def locked(index: Path | None) -> Iterator[None]:
    """One run at a time: two would not see each other's documents. InputError where another is at work."""
    if index is None:
        yield
        return
    busy = f"{index}: another run is at work with this index"
    cure = "wait for it, or their copies of each other would both stay"
    with ExitStack() as held:
        with disk_errors(index):
            held.enter_context(one_holder(index / "lock", busy, cure))
        yield


def forget(index: Path | None, name: str | None) -> None:
    """Take out the segment of a result that is replaced."""
    if index is not None and name is not None and (index / name).is_dir():
        with disk_errors(index):
            gone = index / f".{name}.gone"  # not a segment from here on
            (index / name).rename(gone)
            shutil.rmtree(gone)


def segments(index: Path | None, dedup: DedupSettings) -> list[str]:
    """The names of its segments; an index made with other settings is an InputError."""
    if index is None or not (index / SETTINGS).exists():
        return []
    known = read_sealed(index / SETTINGS, CURE)
    asked = dedup.model_dump(include=set(FIELDS))
    if isinstance(known, dict) and known.get("format") != FORMAT:
        raise InputError(f"{index}: was made by an earlier version; {CURE}")
    if not isinstance(known, dict) or not set(FIELDS) <= set(known):
        raise InputError(f"{index / SETTINGS} is damaged (no settings); {CURE}")
    for name in FIELDS:
        if known[name] != asked[name]:
            raise InputError(
                f"{index}: was made with dedup.{name} {known[name]}, now it is"
                f" {asked[name]}; use the same or another index"
            )
    names = sorted(
        entry.name
        for entry in index.iterdir()
        if entry.is_dir() and not entry.name.startswith(".")
    )
    _require_whole([index / name for name in names])
    return names


def _require_whole(folders: list[Path]) -> None:
    """InputError naming the first file that is not as it was written; a segment of an older version has no hashes."""
    recorded = {
        str(folder / name): entry
        for folder in folders
        if (folder / HASHES).exists()
        for name, entry in hashes.listed(folder / HASHES, CURE).items()
    }
    for fault in hashes.faults(recorded, hashes.HASHED_BYTES, CURE):
        raise InputError(fault)


def units(index: Path | None, names: list[str]) -> list[tuple[Path, int]]:
    """(folder, documents) of each unit of these segments."""
    if index is None:
        return []
    folders = [
        folder
        for name in names
        for folder in sorted((index.absolute() / name).glob("unit-*"))
    ]
    return [(folder, count(folder / "marks.bin", MARK)) for folder in folders]


@dataclass(frozen=True)
class AddTask:
    """What is known of the documents of one unit that were kept, rows counted anew."""

    units: Units
    losers: Path
    folder: Path
    dedup: DedupSettings

    def __call__(self, unit: int) -> int:
        source, target = self.units.folders[unit], self.folder / f"unit-{unit:06d}"
        if target.exists():
            return unit
        start, end = self.units.starts[unit], self.units.starts[unit + 1]
        kept = np.zeros(end - start, dtype=np.bool_)
        marks = np.array(mapped(source / "marks.bin", MARK))
        kept[marks["row"]] = True
        for run in self.losers.glob("losers-*.bin"):
            kept[range_of(run, LOSER, low=start, high=end)["ordinal"] - start] = False
        stays = kept[marks["row"]]
        row = np.cumsum(kept) - 1
        with whole_folder(target) as temporary:
            marks = marks[stays]
            marks["row"] = np.arange(len(marks))
            write_records(temporary / "marks.bin", marks)
            for run in sorted(source.glob("keys-*.bin")):
                keys = np.array(mapped(run, KEY))
                keys = keys[kept[keys["row"]]]
                keys["row"] = row[keys["row"]]
                write_records(temporary / run.name, keys)
            if self.dedup.policy == "near":
                self._add_contents(temporary, unit, kept=kept, stays=stays)
        return unit

    def _add_contents(
        self, target: Path, unit: int, *, kept: np.ndarray, stays: np.ndarray
    ) -> None:
        """Sketches and shingles."""
        params = self.dedup.minhash()
        row_bytes = np.dtype(("<u8", (params.sketch_words,)))
        sketches = np.array(
            mapped(self.units.folders[unit] / "sketches.bin", row_bytes)
        )
        write_records(
            target / "sketches.bin",
            sketches.reshape(len(stays), params.sketch_words)[stays],
        )
        _, sets = shingles_of(
            self.units,
            self.units.starts[unit],
            kept,
            params,
            most=INDEX_SHINGLES,
        )
        (target / KEPT).mkdir()
        write_sets(target / KEPT, np.arange(int(kept.sum())), sets)


def add(index: Path, made: Path, name: str, dedup: DedupSettings) -> None:
    """Put a finished segment into the index."""
    with disk_errors(index):
        if not (index / SETTINGS).exists():
            known = dedup.model_dump(include=set(FIELDS)) | {"format": FORMAT}
            write_sealed(index / SETTINGS, known)
        with whole_folder(index / name) as temporary:
            temporary.rmdir()
            made.mkdir(exist_ok=True)
            shutil.copytree(made, temporary)  # the work folder may lie on another disk
            written = {
                str(Path(name).relative_to(temporary)): entry
                for name, entry in hashes.measured([str(temporary)]).items()
            }
            write_sealed(temporary / HASHES, {"files": written})
