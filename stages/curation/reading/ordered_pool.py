"""Question: how does one go through a pool of any size in the order of its ids? Input: parquet
files of documents. Output: document tables in id order, again and again, and every document's size
without its text. Ids are hashes, so a first pass cuts the documents into ranges of ids of about
`RANGE_CHARS` characters, on disk; a range is sorted when it is read. Cost: the first pass 140 MB a
CPU-second, each later one 750; disk of two thirds of the text (lz4; measured). Memory of one range.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from stages.curation.reading.row_groups import RowGroups, batches
from stages.foundation.errors import InputError
from stages.foundation.files import room_for

RANGE_CHARS = 32_000_000  # assumed: rules and scores work on blocks of half a million
MOST_RANGES = 512  # open files; beyond 16 GB the ranges grow
WAITING_CHARS = 64_000_000  # held while ranges are written, all together (assumed)


@dataclass(frozen=True)
class OrderedPool:
    """Documents in id order. `parts` are files that each hold a range of ids, in order."""

    parts: list[Path]

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """One table a range of ids, sorted by id."""
        wanted = None if columns is None else list(dict.fromkeys(["id", *columns]))
        for part in self.parts:
            yield pl.concat(batches(part, wanted)).sort("id")

    @cached_property
    def n_chars(self) -> int:
        """Characters of all documents."""
        return sum(
            int(frame["n_chars"].sum())
            for part in self.parts
            for frame in batches(part, ["n_chars"])
        )

    def columns(self, *names: str) -> pl.DataFrame:
        """Some columns of all documents, in id order."""
        return pl.concat(frame.select(names) for frame in self.batches(names))

    def whole(self) -> pl.DataFrame:
        """All of it at once, for what cannot go batch by batch."""
        return pl.concat(self.batches())


class HeldPool:
    """The same of a table that is held in memory."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame.sort("id")
        self.n_chars = int(frame["n_chars"].sum())

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        yield (
            self.frame
            if columns is None
            else self.frame.select(list(dict.fromkeys(["id", *columns])))
        )

    def columns(self, *names: str) -> pl.DataFrame:
        return self.frame.select(names)

    def whole(self) -> pl.DataFrame:
        return self.frame


Documents = OrderedPool | HeldPool


def ordered_pool(files: Sequence[Path], work: Path) -> OrderedPool:
    """Cut the documents of `files` into ranges of ids, below the folder `work`, which is this pool's alone."""
    if not files:
        raise InputError(
            f"{work}: no file of documents was found for it; run the ingest stage again"
        )
    total = sum(
        int(frame["n_chars"].sum())
        for file in files
        for frame in batches(file, ["n_chars"])
    )
    ranges = min(MOST_RANGES, -(-total // RANGE_CHARS))
    shutil.rmtree(work, ignore_errors=True)
    with room_for(work):
        work.mkdir(parents=True)
        parts = [
            RowGroups(
                work / f"range-{number:04d}.parquet",
                compression="lz4",
                dictionaries=("pool", "lang"),
                group_chars=WAITING_CHARS // max(8, ranges),
            )
            for number in range(max(1, ranges))
        ]
        for file in files:
            for frame in batches(file):
                _add(frame, parts)
        for part in parts:
            part.close()
    return OrderedPool([part.path for part in parts if part.documents])


def _add(frame: pl.DataFrame, parts: list[RowGroups]) -> None:
    place = pl.col("id").str.slice(0, 4).str.to_integer(base=16) * len(parts) // 65536
    for part in parts:
        if part.writer is None:
            part.add(frame.clear())
    for (number,), some in (
        frame.with_columns(_range=place).partition_by("_range", as_dict=True).items()
    ):
        parts[number].add(some.drop("_range"))
