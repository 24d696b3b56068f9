"""What is written of each document, read once in the order of the packed index: its text, or its tokens.

Question: how does the content of the chosen documents come by without holding it? Input: the ingested shards, or the
packed tokens. Output: batches of the chosen documents with their content. Shards of which nothing is chosen are not
read. Cost: reading, and with a tokenizer of one's own its encoding; memory of one batch.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from stages.curation.duplicates.clusters import SHORTENED
from stages.curation.reading.row_groups import batches
from stages.foundation import artefacts
from stages.foundation.errors import InputError
from stages.handing_over.choosing.arm_documents import ArmDocuments
from stages.handing_over.choosing.whole_pool import ANEW, numbers_of
from stages.handing_over.writing.tokenised import TokenizerFile
from stages.proxy.tokens.packed import TOKENS

UNIT_BYTES = 32_000_000  # of packed tokens read as one unit (assumed)
PIECE_BYTES = 8_000_000  # of them held at a time (assumed)


@dataclass(frozen=True)
class Batch:
    """Chosen documents low <= index < high of an ArmDocuments.

    content: text, or tokens as bytes. n_tokens, n_bytes (documents,): tokens with the end mark, UTF-8 bytes of text.
    """

    low: int
    high: int
    content: pl.Series
    n_tokens: np.ndarray
    n_bytes: np.ndarray


class Payload(Protocol):
    """Units to be read one after the other; what a killed run read of one is read again."""

    @property
    def units(self) -> list[tuple[int, int]]:
        """First and last row + 1 of each unit, in rows of the packed index."""

    def batches(self, unit: int, chosen: ArmDocuments) -> Iterator[Batch]:
        """The chosen documents of a unit, in order."""


@dataclass(frozen=True)
class Texts:
    """Texts of the ingested shards and, behind them, of the documents that lost lines."""

    files: list[Path]
    units: list[tuple[int, int]]

    @classmethod
    def find(cls) -> "Texts":
        files = sorted(Path(artefacts.POOLS).rglob("*.parquet"))
        sizes = [pq.read_metadata(file).num_rows for file in files]
        lines = Path(artefacts.LINE_COPIES)
        files.append(lines)
        sizes.append(sum(_with_text(frame).height for frame in _read(lines)))
        ends = np.cumsum(sizes).tolist()
        return cls(files, list(zip([0, *ends[:-1]], ends, strict=True)))

    def batches(self, unit: int, chosen: ArmDocuments) -> Iterator[Batch]:
        row, end = self.units[unit]
        low, last = np.searchsorted(chosen.row, [row, end]).tolist()
        for frame in _read(self.files[unit]) if last > low else ():
            if self.files[unit] == Path(artefacts.LINE_COPIES):
                frame = _with_text(frame)
            high = int(np.searchsorted(chosen.row, row + frame.height))
            if high > low:
                taken = frame[chosen.row[low:high].astype(np.int64) - row]
                self._require_same(taken["id"], chosen.id[low:high], unit)
                yield Batch(
                    low,
                    high,
                    taken["text"],
                    chosen.n_tokens[low:high],
                    taken["text"].str.len_bytes().to_numpy(),
                )
            low, row = high, row + frame.height

    def _require_same(self, ids: pl.Series, wanted: np.ndarray, unit: int) -> None:
        if not np.array_equal(numbers_of(ids), wanted):
            raise InputError(
                f"{self.files[unit]} holds other documents than"
                f" {artefacts.PACKED_POOLS_INDEX}; {ANEW}"
            )


def _read(file: Path) -> Iterator[pl.DataFrame]:
    return batches(file, ["id", "text"])


def _with_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Of the shortened documents those that the pack stage took."""
    return frame.filter(pl.col("text").str.strip_chars() != "")


@dataclass(frozen=True)
class Encoded:
    """The same texts as tokens of another tokenizer."""

    texts: Texts
    tokenizer: TokenizerFile

    @property
    def units(self) -> list[tuple[int, int]]:
        return self.texts.units

    def batches(self, unit: int, chosen: ArmDocuments) -> Iterator[Batch]:
        for batch in self.texts.batches(unit, chosen):
            content, n_tokens = self.tokenizer.encode(batch.content)
            yield Batch(batch.low, batch.high, content, n_tokens, batch.n_bytes)


@dataclass(frozen=True, eq=False)
class PackedTokens:
    """Tokens as the pack stage wrote them. start (rows + 1,): bytes before each document of the pack."""

    file: Path
    start: np.ndarray
    units: list[tuple[int, int]]

    @classmethod
    def find(cls, packed: pl.DataFrame, dtype: np.dtype) -> "PackedTokens":
        start = np.zeros(packed.height + 1, dtype=np.int64)
        np.cumsum(packed["n_tokens"].to_numpy(), dtype=np.int64, out=start[1:])
        start *= dtype.itemsize
        file = Path(artefacts.PACKED_POOLS) / TOKENS
        if file.stat().st_size != start[-1]:
            raise InputError(
                f"{file} has {file.stat().st_size} bytes, its index says {start[-1]};"
                f" {ANEW}"
            )
        return cls(file, start, _pieces(start, 0, packed.height, UNIT_BYTES))

    def batches(self, unit: int, chosen: ArmDocuments) -> Iterator[Batch]:
        for first, last in _pieces(self.start, *self.units[unit], PIECE_BYTES):
            low, high = np.searchsorted(chosen.row, [first, last]).tolist()
            if high > low:
                content = self._read(chosen.row[low:high])
                n_tokens, n_bytes = chosen.n_tokens[low:high], chosen.n_bytes[low:high]
                yield Batch(low, high, content, n_tokens, n_bytes)

    def _read(self, rows: np.ndarray) -> pl.Series:
        """The tokens of some rows as bytes, of which all between the first and the last are read."""
        first, last = self.start[rows[0]], self.start[rows[-1] + 1]
        with open(self.file, "rb") as handle:
            handle.seek(first)
            block = handle.read(last - first)
        begin, end = self.start[rows] - first, self.start[rows + 1] - first
        view = memoryview(block)
        return pl.Series(
            [bytes(view[a:b]) for a, b in zip(begin, end, strict=True)],
            dtype=pl.Binary,
        )


def _pieces(
    start: np.ndarray, first: int, last: int, n_bytes: int
) -> list[tuple[int, int]]:
    """Rows first to last cut where `n_bytes` are reached, whole documents each."""
    edges = [first]
    while edges[-1] < last:
        reached = int(np.searchsorted(start, start[edges[-1]] + n_bytes, side="right"))
        edges.append(min(max(reached - 1, edges[-1] + 1), last))
    return list(itertools.pairwise(edges))


def written_id(number: int, row: int, n_own: int) -> str:
    """The id of a document as text. n_own: rows of the pack before the shortened texts."""
    return f"{number:016x}" + (SHORTENED if row >= n_own else "")


def arrow_table(frame: pl.DataFrame) -> pa.Table:
    """The frame as Arrow, with types that every reader knows."""
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())
