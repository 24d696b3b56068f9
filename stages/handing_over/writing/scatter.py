"""Every chosen document to the shard that a hash names, so that each shard is a fair sample of the whole mix.

Question: how are pools mixed that never fit into memory, when some trainers read shards one after the other? Input:
batches in the order of the pools. Output: a file a shard, its documents in the order in which they came; they are
sorted by hash when the shard is written. A copy of a document goes where its own hash says. After every unit the
sizes of the files are written down; a killed run cuts the files back to them and goes on. Cost: 90 MB a CPU-second;
disk of about two thirds of the text (lz4, measured); memory of WAITING_BYTES and a batch.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from stages.foundation.files import read_json, write_json
from stages.handing_over.choosing.arm_documents import ArmDocuments, mixed
from stages.handing_over.writing.payloads import Batch, Payload, arrow_table

WAITING_BYTES = 96_000_000  # held while shards wait (assumed)
SLICE_DOCUMENTS = 1024  # written at a time; a row group of parquet
JOURNAL = "scattered.json"
Progress = Callable[[str, int, int], None]  # step, done, of how many


@dataclass
class Scatter:
    """The files of one run. seed: of the order of documents."""

    chosen: ArmDocuments
    payload: Payload
    folder: Path
    n_shards: int
    seed: int
    waiting: list[pl.DataFrame] = field(default_factory=list)
    waiting_bytes: int = 0

    def run(self, progress: Progress) -> None:
        """Read what is not read yet."""
        units = self.payload.units
        done = self._resumed()
        progress("read the pools", done, len(units))
        for unit in range(done, len(units)):
            for batch in self.payload.batches(unit, self.chosen):
                self._add(batch)
            self._flush()
            sizes = [self._size(shard) for shard in range(self.n_shards)]
            known = {"rows": units[unit][1], "sizes": sizes}
            write_json(self.folder / JOURNAL, known)
            progress("read the pools", unit + 1, len(units))

    def _resumed(self) -> int:
        """Units that an earlier run read, with the files as they were after the last of them."""
        journal = self.folder / JOURNAL
        nothing: dict[str, Any] = {"rows": 0, "sizes": [0] * self.n_shards}
        known = read_json(journal) if journal.exists() else nothing
        ends = [0, *(last for _, last in self.payload.units)]
        lost = [
            shard
            for shard, size in enumerate(known["sizes"])
            if self._size(shard) < size
        ]
        # bytes went with the machine's power, or units are cut in another way: from the beginning
        if lost or known["rows"] not in ends:
            known = nothing
        for shard, size in enumerate(known["sizes"]):
            path = shard_file(self.folder, shard)
            if path.exists():
                with open(path, "r+b") as file:
                    file.truncate(size)
        return ends.index(known["rows"])

    def _size(self, shard: int) -> int:
        path = shard_file(self.folder, shard)
        return path.stat().st_size if path.exists() else 0

    def _add(self, batch: Batch) -> None:
        chosen, rows = self.chosen, slice(batch.low, batch.high)
        copies = chosen.copies[rows].astype(np.int64)
        of = np.repeat(np.arange(len(copies)), copies)
        copy = np.arange(len(of)) - np.repeat(np.cumsum(copies) - copies, copies)
        order = place_of(chosen.id[rows][of], copy, self.seed)
        frame = pl.DataFrame(
            {
                "order": order,
                "shard": shard_of(order, self.n_shards),
                "copy": copy.astype(np.uint32),
                "row": chosen.row[rows][of],
                "id": chosen.id[rows][of],
                "group": chosen.group[rows][of],
                "n_tokens": batch.n_tokens[of].astype(np.uint32),
                "n_bytes": batch.n_bytes[of].astype(np.uint32),
            }
        )
        frame = frame.with_columns(batch.content.rename("content")[of])
        self.waiting.append(frame)
        self.waiting_bytes += int(frame["n_bytes"].sum())
        if self.waiting_bytes >= WAITING_BYTES:
            self._flush()

    def _flush(self) -> None:
        """Append what waits to the files."""
        if not self.waiting:
            return
        frame = pl.concat(self.waiting)
        self.waiting, self.waiting_bytes = [], 0
        order = frame["shard"].arg_sort()
        edges = np.searchsorted(
            frame["shard"].gather(order).to_numpy(), np.arange(self.n_shards + 1)
        )
        for shard in np.flatnonzero(np.diff(edges)).tolist():
            part = frame[order[edges[shard] : edges[shard + 1]]].drop("shard")
            _append(shard_file(self.folder, shard), part)


def place_of(ids: np.ndarray, copy: np.ndarray, seed: int) -> np.ndarray:
    """Where each copy of each document stands among all, as unsigned 64 bits (documents,)."""
    with np.errstate(over="ignore"):
        return mixed(mixed(ids, seed) + copy.astype(np.uint64), seed)


def shard_of(order: np.ndarray, n_shards: int) -> np.ndarray:
    """The shard of each place (documents,): equal ranges of places, in order."""
    return ((order >> np.uint64(32)) * np.uint64(n_shards)) >> np.uint64(32)


def shard_file(folder: Path, shard: int) -> Path:
    """What was scattered to a shard."""
    return folder / f"shard-{shard:05d}.arrows"


def _append(path: Path, frame: pl.DataFrame) -> None:
    """Add the documents as an Arrow stream of its own behind those that are there."""
    table = arrow_table(frame)
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with (
        open(path, "ab") as file,
        pa.ipc.new_stream(file, table.schema, options=options) as stream,
    ):
        stream.write_table(table)


def scattered(folder: Path, shard: int) -> Iterator[pl.DataFrame]:
    """The documents of a shard in the order of their places, `SLICE_DOCUMENTS` at a time."""
    frame = pl.concat(_streams(shard_file(folder, shard)), rechunk=False)
    order = frame.select(pl.arg_sort_by("order", "row", "copy")).to_series()
    for first in range(0, len(order), SLICE_DOCUMENTS):
        yield frame[order[first : first + SLICE_DOCUMENTS]]


def _streams(path: Path) -> Iterator[pl.DataFrame]:
    if not path.exists():
        return
    size = path.stat().st_size
    with pa.OSFile(str(path), "rb") as file:
        while file.tell() < size:
            with pa.ipc.open_stream(file) as stream:
                for batch in stream:
                    yield pl.from_arrow(batch)
