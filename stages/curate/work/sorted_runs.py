"""Fixed-size records on disk, in runs sorted by their first field: how grouping works in bounded memory.

Question: which records of many files share a key? Every unit writes its own sorted runs; a partition of the key range
is then a slice of each, found by bisection, so that no run is ever read whole and the number of partitions is chosen
after the runs were written. Files are raw little-endian records without a header; the dtype is the contract.
Cost: one open and about 50 page reads a run and partition.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import polars as pl

from stages.curation.reading.storage import disk_errors
from stages.foundation.files import whole_file

# one key of a document: row counts from 0 in its unit
KEY = np.dtype([("key", "<u8"), ("row", "<u4")])
MARK = np.dtype(
    [
        ("row", "<u4"),
        ("id", "<u8"),
        ("score", "<f8"),
        ("order", "<u8"),
        ("exact", "<u8"),
        ("words", "<u8"),
    ]
)
MEMBER = np.dtype(
    [
        ("root", "<i8"),
        ("ordinal", "<i8"),
        ("id", "<u8"),
        ("score", "<f8"),
        ("order", "<u8"),
        ("exact", "<u8"),
        ("words", "<u8"),
    ]
)
EDGE = np.dtype([("first", "<i8"), ("other", "<i8")])
# documents that may be near, and in how many bytes their sketches agree; SAME_WORDS for certain ones
CANDIDATE = np.dtype([("first", "<i8"), ("other", "<i8"), ("equal", "<u2")])
ALIKE = np.dtype([("first", "<i8"), ("other", "<i8"), ("similarity", "<f4")])
# documents that are near, under the component that they form with others
LINK = np.dtype(
    [("root", "<i8"), ("first", "<i8"), ("other", "<i8"), ("similarity", "<f4")]
)
# `winner` is the ordinal of the copy that stays, -1 for none
LOSER = np.dtype(
    [
        ("ordinal", "<i8"),
        ("winner_id", "<u8"),
        ("winner", "<i8"),
        ("similarity", "<f4"),
        ("reason", "u1"),
    ]
)
# a line or paragraph and its place in the text
LINE = np.dtype([("key", "<u8"), ("row", "<u4"), ("start", "<u4"), ("stop", "<u4")])
# a line or paragraph that is to go
REPEAT = np.dtype([("ordinal", "<i8"), ("start", "<u4"), ("stop", "<u4")])
# best first; weight of the run up to and with this one
VALUE = np.dtype([("key", "<u8"), ("ordinal", "<i8"), ("weight", "<u8")])


def vector_dtype(columns: int) -> np.dtype:
    """Where a document lies: its cluster, the cosine to that cluster's centre, its score for keep-best."""
    places = [
        ("cluster", "<u4"),
        ("ordinal", "<i8"),
        ("id", "<u8"),
        ("cosine", "<f4"),
        ("score", "<f8"),
    ]
    return np.dtype([*places, ("vector", "<f4", (columns,))])


def write_records(path: Path, records: np.ndarray) -> None:
    """Write whole, by temp and rename."""
    with (
        disk_errors(path),
        whole_file(path) as temporary,
        open(temporary, "wb") as file,
    ):
        file.write(
            np.ascontiguousarray(records).data.cast("B") if len(records) else b""
        )


def first_field(dtype: np.dtype) -> str:
    """The name of the field that runs are sorted by; TypeError where the dtype has no fields."""
    if dtype.names is None:
        raise TypeError(f"records need fields, got dtype {dtype}; give one as KEY is")
    return dtype.names[0]


def sorted_by_first(records: np.ndarray) -> np.ndarray:
    """Sorted by the first field; equal ones keep their order."""
    return np.take(records, stable_order(records[first_field(records.dtype)]))


def stable_order(keys: np.ndarray) -> np.ndarray:
    """The places (N,) that sort the keys, equal ones in the order in which they stand; a third of numpy's time."""
    order = pl.Series(np.ascontiguousarray(keys)).arg_sort().to_numpy()
    ordered = keys[order]
    kept = (ordered[1:] > ordered[:-1]) | (order[1:] > order[:-1])
    # polars keeps the order of equal keys, but does not promise it
    return order if kept.all() else np.argsort(keys, kind="stable")


class SortedRuns:
    """Records as they come, in runs `NAME-0000.bin` of at least `size` records."""

    def __init__(self, folder: Path, name: str, size: int) -> None:
        self.folder, self.name, self.size = folder, name, size
        self.held: list[np.ndarray] = []
        self.runs = 0

    def add(self, records: np.ndarray) -> None:
        self.held.append(records)
        if sum(map(len, self.held)) >= self.size:
            self.close()

    def close(self) -> None:
        """Write what is held."""
        if self.held:
            write_records(
                self.folder / f"{self.name}-{self.runs:04d}.bin",
                sorted_by_first(np.concatenate(self.held)),
            )
        self.held, self.runs = [], self.runs + 1


def mapped(path: Path, dtype: np.dtype) -> np.ndarray:
    """The records of a file, read only as far as they are looked at."""
    if path.stat().st_size == 0:
        return np.zeros(0, dtype=dtype)
    return np.memmap(path, dtype=dtype, mode="r")


def count(path: Path, dtype: np.dtype) -> int:
    return path.stat().st_size // dtype.itemsize


def range_of(path: Path, dtype: np.dtype, low: int, high: int) -> np.ndarray:
    """A copy of the records of a sorted run with low <= first field < high."""
    records = mapped(path, dtype)
    keys = records[first_field(dtype)]
    return np.array(records[bisect_left(keys, low) : bisect_left(keys, high)])


def chunks(paths: Iterable[Path], dtype: np.dtype, size: int) -> Iterator[np.ndarray]:
    """All records of some files, `size` at a time."""
    for path in paths:
        with open(path, "rb") as file:
            while len(records := np.fromfile(file, dtype=dtype, count=size)):
                yield records
