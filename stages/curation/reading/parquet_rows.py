"""Rows of a parquet file, or of some of its row groups.

Question: what does each row hold? Input: a file or a span of its row groups. Output: batches of rows; a row whose text
is not UTF-8 or whose id is missing goes to `on_bad`, and so does a file that cannot be read as a whole.
Cost: 190 MB a CPU-second (measured); memory of one batch and of the pages it is cut from.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from stages.curation.reading import storage
from stages.curation.reading.inputs import InputFile, Span
from stages.curation.reading.rows import (
    BadRow,
    Columns,
    OnBad,
    RawRows,
    as_text,
    missing_column,
    refuse,
)
from stages.foundation.errors import InputError

BATCH_ROWS, BATCH_BYTES = 2048, 16_000_000  # a batch of long documents has fewer rows


@contextmanager
def open_parquet(file: InputFile) -> Iterator[pq.ParquetFile]:
    """The open file, read in small pieces; one that is no parquet is an InputError."""
    with storage.reading(file.path) as handle, _readable(file):
        yield pq.ParquetFile(handle, pre_buffer=False, buffer_size=1 << 20)


@contextmanager
def _readable(file: InputFile) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(
            f"{file.path}: not a readable parquet file ({str(error).splitlines()[0]});"
            " write or fetch it again"
        ) from None


def parquet_rows(
    file: InputFile,
    columns: Columns,
    *,
    span: Span | None = None,
    on_bad: OnBad = refuse,
) -> Iterator[RawRows]:
    """Batches of at most 2,048 rows."""
    row = 0 if span is None else span.rows_before
    try:
        with open_parquet(file) as table:
            wanted = _checked_columns(table.schema_arrow, file, columns)
            groups = (
                range(table.num_row_groups)
                if span is None
                else range(span.start, span.end)
            )
            for batch in table.iter_batches(
                batch_size=_batch_rows(table), columns=wanted, row_groups=list(groups)
            ):
                yield _rows(batch, row, file=file, columns=columns, on_bad=on_bad)
                row += batch.num_rows
    except InputError as error:
        on_bad(BadRow(file.name, line=None, offset=None, error=error))


def _batch_rows(table: pq.ParquetFile) -> int:
    sizes = [
        table.metadata.row_group(index).total_byte_size
        for index in range(table.num_row_groups)
    ]
    return max(
        1, min(BATCH_ROWS, BATCH_BYTES * table.metadata.num_rows // max(1, sum(sizes)))
    )


def _rows(
    batch: pa.RecordBatch, row: int, file: InputFile, columns: Columns, on_bad: OnBad
) -> RawRows:
    texts, bad = _texts(batch.column(columns.text), file, row)
    names: list[Any] = list(range(row + 1, row + 1 + batch.num_rows))
    if columns.id is not None:
        names = batch.column(columns.id).to_pylist()
        for at in (at for at, name in enumerate(names) if name is None):
            what = (
                f"row {row + at + 1} has no value in the id column {columns.id!r};"
                " choose a full column or none"
            )
            bad.setdefault(
                at, (InputError(f"{file.path}: {what}"), (texts[at] or "").encode())
            )
        names = list(map(str, names))
    langs = None if columns.lang is None else batch.column(columns.lang).to_pylist()
    extra = {
        name: (
            list(map(as_text, batch.column(name).to_pylist()))
            if name in batch.schema.names
            else [None] * len(names)
        )
        for name in columns.extra
    }
    if not bad:
        return RawRows(texts, names=names, langs=langs, extra=extra)
    for at, (error, raw) in sorted(bad.items()):
        on_bad(BadRow(file.name, line=row + at + 1, offset=None, error=error, raw=raw))
    kept = [at for at in range(len(names)) if at not in bad]
    chosen = {name: [values[at] for at in kept] for name, values in extra.items()}
    return RawRows(
        [texts[at] for at in kept],
        names=[names[at] for at in kept],
        langs=langs and [langs[at] for at in kept],
        extra=chosen,
    )


def _checked_columns(schema: pa.Schema, file: InputFile, columns: Columns) -> list[str]:
    for name in columns.names():
        if name not in schema.names and name not in columns.extra:
            raise missing_column(file, "", seen=schema.names, wanted=name)
    kind = schema.field(columns.text).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
    ):
        raise InputError(
            f"{file.path}: column {columns.text!r} is {kind}, not text; map the column"
            " that holds the text"
        )
    return [name for name in columns.names() if name in schema.names]


def _texts(
    column: pa.Array, file: InputFile, row: int
) -> tuple[pl.Series | list, dict[int, tuple[InputError, bytes]]]:
    """The texts, and by place the rows that are not UTF-8."""
    try:
        column.validate(full=True)
        return pl.Series(pl.from_arrow(column)).cast(pl.String), {}
    except (pa.ArrowInvalid, pl.exceptions.PolarsError):
        raws = (
            column.cast(pa.large_binary()).to_pylist()
            if not pa.types.is_dictionary(column.type)
            else column.dictionary_decode().cast(pa.large_binary()).to_pylist()
        )
    texts, bad = [], {}
    for at, raw in enumerate(raws):
        try:
            texts.append(None if raw is None else raw.decode("utf-8"))
        except UnicodeDecodeError as error:
            texts.append(None)
            bad[at] = (
                InputError(
                    f"{file.path}: row {row + at + 1} holds text that is not UTF-8"
                    f" ({error.reason}); write the file again"
                ),
                raw,
            )
    return texts, bad
