"""Cut the input into units of work of about equal size.

Question: what can be read independently, and in which order does it count? Input: files. Output:
units in input order: several small files, a file, row groups of a large parquet file, or a range of
bytes of large plain JSON lines (a compressed file cannot be cut). Rows keep the numbers that they
have in the file. Cost: a read of large plain JSON lines to count their lines (2 GB a CPU-second,
measured), the footer of each parquet file.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.curation.reading import storage
from stages.curation.reading.inputs import READ_BYTES, Span
from stages.curation.reading.named_files import InputFile
from stages.curation.reading.parquet_rows import open_parquet
from stages.foundation.errors import InputError


@dataclass(frozen=True)
class Piece:
    """A file, or a span of it."""

    file: InputFile
    span: Span | None
    n_bytes: int  # as stored; of parquet row groups, before compression


@dataclass(frozen=True)
class Unit:
    """What one task reads; `number` counts from 0 in input order."""

    number: int
    pieces: tuple[Piece, ...]

    @property
    def n_bytes(self) -> int:
        return sum(piece.n_bytes for piece in self.pieces)


def cut(
    files: Sequence[InputFile], unit_bytes: int
) -> tuple[list[Unit], list[InputFile]]:
    """(units, empty files). A file that may not be read is an InputError before any work."""
    units: list[list[Piece]] = [[]]
    empty, size = [], 0
    for file in files:
        pieces = list(_pieces(file, unit_bytes))
        if not pieces:
            empty.append(file)
        for piece in pieces:
            if size and size + piece.n_bytes > unit_bytes:
                units.append([])
                size = 0
            units[-1].append(piece)
            size += piece.n_bytes
    return [
        Unit(number, tuple(pieces)) for number, pieces in enumerate(units) if pieces
    ], empty


def _pieces(file: InputFile, unit_bytes: int) -> Iterator[Piece]:
    size = storage.size_of(file.path)
    if isinstance(file.path, Path):
        with storage.reading(file.path):
            pass
    if size == 0:
        return
    if file.kind == "parquet":
        yield from _row_groups(file, size, unit_bytes)
    elif (
        file.kind == "jsonl"
        and not file.compression
        and size > unit_bytes
        and isinstance(file.path, Path)
    ):
        yield from _line_ranges(file, unit_bytes)
    else:
        yield Piece(file, None, size)


def _row_groups(file: InputFile, size: int, unit_bytes: int) -> Iterator[Piece]:
    try:
        with open_parquet(file) as table:
            groups = [
                table.metadata.row_group(index) for index in range(table.num_row_groups)
            ]
            sizes, rows = (
                [group.total_byte_size for group in groups],
                [group.num_rows for group in groups],
            )
    except InputError:
        yield Piece(file, None, size)  # told, with its reason, when it is read
        return
    start = before = 0
    for end in range(1, len(sizes) + 1):
        if end == len(sizes) or sum(sizes[start : end + 1]) > unit_bytes:
            yield Piece(file, Span(start, end, before), sum(sizes[start:end]))
            before += sum(rows[start:end])
            start = end


def _line_ranges(file: InputFile, unit_bytes: int) -> Iterator[Piece]:
    """Ranges that begin at the start of a line, with the number of lines before them."""
    start = before = lines = offset = 0
    with storage.reading(file.path) as handle:
        while chunk := handle.read(READ_BYTES):
            at = (
                chunk.find(b"\n", max(0, start + unit_bytes - 1 - offset))
                if offset + len(chunk) >= start + unit_bytes
                else -1
            )
            while at >= 0:
                end = offset + at + 1
                upto = lines + chunk.count(b"\n", 0, at + 1)
                yield Piece(file, Span(start, end, before), end - start)
                start, before = end, upto
                at = (
                    chunk.find(b"\n", max(0, start + unit_bytes - 1 - offset))
                    if offset + len(chunk) >= start + unit_bytes
                    else -1
                )
            lines += chunk.count(b"\n")
            offset += len(chunk)
    if offset > start:
        yield Piece(file, Span(start, offset, before), offset - start)
