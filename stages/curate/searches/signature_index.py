"""What earlier runs kept, so that a new batch is compared with it without reading it again.

Question: which of the new documents are copies of old ones? Input and output: a folder with one
segment a run: marks and key runs of the documents that it kept, in the format of a unit. An old
document always stays; a new copy of it is dropped and names it in `duplicate_of`. A run does not
see its own segment, so running it again changes nothing. Cost: 236 bytes a kept document on disk; 8
bytes an old document mapped in memory during a run.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

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
from stages.foundation.errors import InputError
from stages.foundation.files import read_json, whole_folder, write_json
from stages.settings.curate import DedupSettings

SETTINGS = "index.json"
FIELDS = ("policy", "shingle_words", "bands", "rows", "seed")


def segments(index: Path | None, dedup: DedupSettings) -> list[str]:
    """The names of its segments; an index made with other settings is an InputError."""
    if index is None or not (index / SETTINGS).exists():
        return []
    known, asked = read_json(index / SETTINGS), dedup.model_dump(include=set(FIELDS))
    for name in FIELDS:
        if known[name] != asked[name]:
            raise InputError(
                f"{index}: was made with dedup.{name} {known[name]}, now it is"
                f" {asked[name]}; use the same or another index"
            )
    return sorted(
        entry.name
        for entry in index.iterdir()
        if entry.is_dir() and not entry.name.startswith(".")
    )


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
    """The marks and keys of the documents of one unit that were kept, rows counted anew."""

    units: Units
    losers: Path
    folder: Path

    def __call__(self, unit: int) -> int:
        source, target = self.units.folders[unit], self.folder / f"unit-{unit:06d}"
        if target.exists():
            return unit
        start, end = self.units.starts[unit], self.units.starts[unit + 1]
        gone = np.zeros(end - start, dtype=np.bool_)
        for run in self.losers.glob("losers-*.bin"):
            gone[range_of(run, LOSER, low=start, high=end)["ordinal"] - start] = True
        marks = np.array(mapped(source / "marks.bin", MARK))
        marks = marks[~gone[marks["row"]]]
        row = np.full(end - start, -1, dtype=np.int64)
        row[marks["row"]] = np.arange(len(marks))
        marks["row"] = np.arange(len(marks))
        with whole_folder(target) as temporary:
            write_records(temporary / "marks.bin", marks)
            for run in sorted(source.glob("keys-*.bin")):
                keys = np.array(mapped(run, KEY))
                new = row[keys["row"]]
                keys["row"] = np.maximum(new, 0)
                write_records(temporary / run.name, keys[new >= 0])
        return unit


def add(index: Path, made: Path, name: str, dedup: DedupSettings) -> None:
    """Put a finished segment into the index."""
    with disk_errors(index):
        if not (index / SETTINGS).exists():
            write_json(index / SETTINGS, dedup.model_dump(include=set(FIELDS)))
        with whole_folder(index / name) as temporary:
            temporary.rmdir()
            made.mkdir(exist_ok=True)
            shutil.copytree(made, temporary)  # the work folder may lie on another disk
