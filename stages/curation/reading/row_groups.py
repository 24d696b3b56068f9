"""A parquet file that is written as its documents come, a row group at a time.

Question: how is a table written that never fits into memory? Input: document tables in order.
Output: one file whose row groups end where their text reaches `group_chars`, whatever the batches
that come in; and such a file read again a row group at a time. Cost: 90 MB of text a CPU-second;
memory of one row group (measured).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

GROUP_CHARS = 8_000_000
BATCH_BYTES = 16_000_000  # read at a time, as stored before compression


class RowGroups:
    """The file being written; `documents` and `characters` count what is in it."""

    def __init__(
        self,
        path: Path,
        *,
        compression: str = "zstd",
        dictionaries: Sequence[str] = ("lang", "reason"),
        group_chars: int = GROUP_CHARS,
    ) -> None:
        self.path, self.group_chars = path, group_chars
        self.writer: pq.ParquetWriter | None = None
        self.handle: IO[bytes] | None = None
        self.compression, self.dictionaries = compression, list(dictionaries)
        self.waiting: list[pa.Table] = []
        self.waiting_chars = self.documents = self.characters = 0

    def add(self, frame: pl.DataFrame) -> None:
        """Documents in order; an empty frame gives the columns."""
        if self.writer is None:
            self._open(frame)
        while frame.height:
            reached = (
                self.waiting_chars + frame["n_chars"].cum_sum()
            ) >= self.group_chars
            end = int(reached.arg_max()) + 1 if reached.any() else frame.height
            head, frame = frame[:end], frame[end:]
            # a copy: a slice would hold the whole of what it was cut from
            self.waiting.append(head.to_arrow(compat_level=pl.CompatLevel.oldest()))
            self.waiting_chars += int(head["n_chars"].sum())
            if reached.any():
                self._flush()

    def _open(self, frame: pl.DataFrame) -> None:
        self.arrow = frame.clear().to_arrow(compat_level=pl.CompatLevel.oldest()).schema
        self.handle = open(self.path, "wb")
        counted = [name for name, kind in frame.schema.items() if kind.is_numeric()]
        # Measured: dictionaries and bounds of long texts cost 2.5 times the rest of the writing, and save nothing.
        options = {
            "compression": self.compression,
            "use_dictionary": self.dictionaries,
            "write_statistics": counted,
        }
        self.writer = pq.ParquetWriter(self.handle, self.arrow, **options)

    def _flush(self) -> None:
        if self.waiting:
            assert (
                self.writer is not None
            )  # what waits came through `add`, which opens it
            table = pa.concat_tables(self.waiting)
            self.writer.write_table(
                pa.Table.from_batches(table.combine_chunks().to_batches(), self.arrow),
                row_group_size=table.num_rows,
            )
            self.documents += table.num_rows
            self.characters += self.waiting_chars
        self.waiting, self.waiting_chars = [], 0

    def close(self) -> None:
        self._flush()
        assert self.writer is not None and self.handle is not None, "give it a table"
        self.writer.close()
        self.handle.close()


def compact(frame: pl.DataFrame) -> pl.DataFrame:
    """A copy that holds its own texts alone: a filtered or cut table keeps those of the whole in memory."""
    return pl.from_arrow(frame.to_arrow(compat_level=pl.CompatLevel.oldest()))


def batches(
    path: Path | str, columns: Sequence[str] | None = None
) -> Iterator[pl.DataFrame]:
    """The rows of a parquet file of ours, in order, about `BATCH_BYTES` at a time whatever its row groups."""
    with (
        open(path, "rb") as handle,
        pq.ParquetFile(handle, pre_buffer=False, buffer_size=1 << 20) as table,
    ):
        sizes = sum(
            table.metadata.row_group(index).total_byte_size
            for index in range(table.num_row_groups)
        )
        rows = max(1, BATCH_BYTES * table.metadata.num_rows // max(1, sizes))
        for batch in table.iter_batches(
            batch_size=rows, columns=columns and list(columns)
        ):
            yield pl.from_arrow(batch)
