"""The judged documents of a unit on disk, between the two passes.

Question: where do documents wait until it is known which of them are copies? Input: document tables with their measures
and verdicts. Output: `documents.parquet`, a row group a batch, and `chars.bin`, the characters of each document.
Cost: 330 MB a CPU-second, six tenths of the size of the text (measured, lz4).
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from stages.curate.work.numbering import Units
from stages.curate.work.steps import Step
from stages.settings.curate import CurateSettings

CHARS = np.dtype("<u4")


class Staged:
    """The documents as one parquet file, a row group a batch."""

    def __init__(
        self, folder: Path, settings: CurateSettings, steps: list[Step]
    ) -> None:
        self.path, self.documents = folder / "documents.parquet", 0
        measures = {
            name: kind for step in steps for name, kind in step.measures.items()
        }
        self.schema = staged_schema(settings, measures)
        self.arrow = (
            pl.DataFrame(schema=self.schema)
            .to_arrow(compat_level=pl.CompatLevel.oldest())
            .schema
        )

    def __enter__(self) -> "Staged":
        self.handle = open(self.path, "wb")
        self.writer = pq.ParquetWriter(
            self.handle,
            self.arrow,
            compression="lz4",
            use_dictionary=False,
            write_statistics=False,
        )
        self.chars = open(self.path.with_name("chars.bin"), "wb")
        return self

    def write(self, frame: pl.DataFrame) -> None:
        if frame.is_empty():
            return
        self.documents += frame.height
        table = frame.select(
            pl.col(name).cast(kind) for name, kind in self.schema.items()
        ).to_arrow(compat_level=pl.CompatLevel.oldest())
        self.writer.write_table(table.cast(self.arrow), row_group_size=frame.height)
        self.chars.write(frame["n_chars"].to_numpy().astype(CHARS).tobytes())

    def __exit__(self, *_: object) -> None:
        self.writer.close()
        self.handle.close()
        self.chars.close()


def staged_schema(
    settings: CurateSettings, measures: dict[str, pl.DataType]
) -> dict[str, pl.DataType]:
    """Columns of a judged document, in order."""
    texts = dict.fromkeys(["id", "source", "text", "lang"], pl.String)
    return {
        **texts,
        "n_chars": pl.Int64,
        **dict.fromkeys(settings.extra, pl.String),
        **measures,
        "failed": pl.List(pl.String),
        "reason": pl.String,
    }


def staged_rows(
    units: Units,
    low: int,
    high: int,
    columns: list[str] | None = None,
    wanted: np.ndarray | None = None,
) -> Iterator[tuple[int, pl.DataFrame]]:
    """(ordinal of the first row, staged documents) of every row group that overlaps the range, cut
    to it. `wanted` (high - low,) leaves out row groups of which nothing is wanted.
    """
    first = int(np.searchsorted(units.starts, low, side="right")) - 1
    for unit in range(max(first, 0), units.n_new):
        at = units.starts[unit]
        if at >= high:
            return
        with pq.ParquetFile(units.folders[unit] / "documents.parquet") as table:
            for group in range(table.num_row_groups):
                rows = table.metadata.row_group(group).num_rows
                inside = at < high and at + rows > low
                if inside and (
                    wanted is None or wanted[max(0, at - low) : at + rows - low].any()
                ):
                    frame = pl.from_arrow(table.read_row_group(group, columns=columns))
                    begin = max(0, low - at)
                    yield at + begin, frame[begin : min(rows, high - at)]
                at += rows
