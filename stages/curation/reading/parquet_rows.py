"""Rows of a parquet file, or of some of its row groups.

Question: what does each row hold? Input: a file or a span of its row groups. Output: batches of rows; a row whose text
is not UTF-8 or whose id is missing goes to `on_bad`, and so does a file that cannot be read as a whole.
Cost: 190 MB a CPU-second (measured); memory of one batch and of the pages it is cut from.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from stages.curation.reading import storage
from stages.curation.reading.inputs import Expansion, Span
from stages.curation.reading.named_files import InputFile
from stages.curation.reading.row_sizes import NUMBER_BYTES, ranges, row_bytes
from stages.curation.reading.rows import (
    IDS,
    MAX_ROW_BYTES,
    TEXT_COLUMN,
    BadRow,
    Columns,
    OnBad,
    RawRows,
    as_text,
    asked_and_answer,
    from_folders,
    joined,
    missing_column,
    not_text,
    prompt_is_text,
    refuse,
)
from stages.curation.reading.stores import is_outage
from stages.foundation.errors import InputError

# by place in the batch, what is wrong with a row and what stood there
Bad = dict[int, tuple[InputError, bytes | None]]
BATCH_ROWS, BATCH_BYTES = 2048, 16_000_000  # a batch of long documents has fewer rows


@contextmanager
def open_parquet(
    file: InputFile, dictionaries: Sequence[str] = ()
) -> Iterator[pq.ParquetFile]:
    """The open file, read in small pieces; one that is no parquet is an InputError."""
    with storage.reading(file.path) as handle, _readable(file):
        yield pq.ParquetFile(
            handle,
            pre_buffer=False,
            buffer_size=1 << 20,
            page_checksum_verification=True,
            read_dictionary=list(dictionaries),
        )


@contextmanager
def _readable(file: InputFile) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError, MemoryError) as error:
        if is_outage(error):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{file.path}: not a readable parquet file ({reason}); write or fetch it"
            " again"
        ) from None


def parquet_rows(
    file: InputFile,
    columns: Columns,
    *,
    span: Span | None = None,
    on_bad: OnBad = refuse,
    max_row_bytes: int | None = None,
) -> Iterator[RawRows]:
    """Batches of at most 2,048 rows and 32 MB; a row above `max_row_bytes` is a bad row."""
    row = 0 if span is None else span.rows_before
    expansion = Expansion(file, storage.size_of(file.path))
    try:
        with open_parquet(file) as plain:
            wanted = _checked_columns(plain.schema_arrow, file, columns)
            groups = (
                range(plain.num_row_groups)
                if span is None
                else range(span.start, span.end)
            )
            texts = _text_leaves(plain, wanted)
        # A dictionary stays one until its rows are counted: 8 GB of text can stand in 8 kB of file.
        with open_parquet(file, dictionaries=texts) as table:
            for batch in _batches(table, wanted, groups, expansion):
                sizes = row_bytes(batch)
                expansion.add(int(sizes.sum()) + NUMBER_BYTES * batch.num_rows)
                for start, end in ranges(sizes):
                    yield _rows(
                        batch.slice(start, end - start),
                        row + start,
                        file=file,
                        columns=columns,
                        on_bad=on_bad,
                        too_long=sizes[start:end] > (max_row_bytes or MAX_ROW_BYTES),
                    )
                row += batch.num_rows
    except InputError as error:
        on_bad(BadRow(file.name, line=None, offset=None, error=error, is_rest=True))


def _text_leaves(table: pq.ParquetFile, wanted: list[str]) -> list[str]:
    """Paths of the texts and binaries, also inside of lists and structs, that stand once among what is read."""
    leaves = _leaves(table, wanted)
    paths = Counter(table.schema.column(index).path for index in leaves)
    return [
        path
        for index in leaves
        if table.schema.column(index).physical_type == "BYTE_ARRAY"
        and paths[path := table.schema.column(index).path] == 1
    ]


def _leaves(table: pq.ParquetFile, wanted: list[str]) -> list[int]:
    """Numbers of the columns of the file, as it stores them, that make up the ones that are read."""
    paths = [table.schema.column(index).path for index in range(len(table.schema))]
    return [
        index
        for index, path in enumerate(paths)
        if any(path == name or path.startswith(f"{name}.") for name in wanted)
    ]


def _batches(
    table: pq.ParquetFile, wanted: list[str], groups: Iterable[int], room: Expansion
) -> Iterator[pa.RecordBatch]:
    """Few rows at a time where a row is long, each row group by its own lengths; a page comes out whole."""
    leaves = _leaves(table, wanted)
    for n_rows, together in groupby(
        groups, key=lambda group: _batch_rows(table.metadata.row_group(group), leaves)
    ):
        chosen = list(together)
        room.expect(sum(_unpacked_bytes(table, group, leaves) for group in chosen))
        yield from table.iter_batches(
            batch_size=n_rows, columns=wanted, row_groups=chosen
        )


def _unpacked_bytes(table: pq.ParquetFile, group: int, leaves: list[int]) -> int:
    stored = table.metadata.row_group(group)
    return sum(stored.column(index).total_uncompressed_size for index in leaves)


def _batch_rows(group: pq.RowGroupMetaData, leaves: list[int]) -> int:
    """A power of two; the values of a list may take no bytes in the file."""
    n_values = sum(group.column(index).num_values for index in leaves)
    n_bytes = max(1, group.total_byte_size, NUMBER_BYTES * n_values)
    n_rows = min(BATCH_ROWS, BATCH_BYTES * group.num_rows // n_bytes)
    return 1 << max(0, n_rows.bit_length() - 1)


def _rows(
    batch: pa.RecordBatch,
    row: int,
    file: InputFile,
    columns: Columns,
    on_bad: OnBad,
    too_long: np.ndarray,
) -> RawRows:
    bad: Bad = {}
    if too_long.any():
        bad = {
            at: (_too_long(file, row + at + 1), None)
            for at in np.flatnonzero(too_long).tolist()
        }
        batch = _without(batch, too_long)
    column = _column(batch, columns.text)
    assert column is not None  # _checked_columns
    asked: list[str | None] = []
    texts: pl.Series | list[Any]
    if _is_list(column.type):
        answers = columns.prompt == columns.text
        asked, texts = _chats(column, file, row, columns.text, bad, answers=answers)
    else:
        texts = _texts(column, file, row, bad)
    names: list[Any] = list(range(row + 1, row + 1 + batch.num_rows))
    if columns.id is not None:
        names = _values(_column(batch, columns.id), file, row, columns.id, bad)
        for at in (at for at, name in enumerate(names) if name is None):
            what = (
                f"row {row + at + 1} has no value in the id column {columns.id!r};"
                " choose a full column or none"
            )
            raw = (texts[at] or "").encode()
            bad.setdefault(at, (InputError(f"{file.path}: {what}"), raw))
        names = list(map(str, names))
    langs = (
        None
        if columns.lang is None
        else _values(_column(batch, columns.lang), file, row, columns.lang, bad)
    )
    extra = {
        name: asked
        if name == columns.prompt == columns.text
        else _extra(batch, file, row, name, bad, chat=name == columns.prompt)
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


def _too_long(file: InputFile, row: int) -> InputError:
    return InputError(
        f"{file.path}: row {row} has more than max_row_bytes; raise it or split the"
        " document"
    )


def _without(batch: pa.RecordBatch, rows: np.ndarray) -> pa.RecordBatch:
    """The batch with nulls in place of these rows."""
    return batch.take(pa.array(np.arange(len(rows)), mask=rows))


def _checked_columns(schema: pa.Schema, file: InputFile, columns: Columns) -> list[str]:
    """The columns of the file that are read; InputError where one is not there or of no use."""
    found = {name: _kind(schema, file, name) for name in columns.names}
    for name, kind in found.items():
        if kind is None and name not in columns.extra:
            roles = {columns.lang: "lang", columns.id: "id", columns.text: "text"}
            raise missing_column(
                file, "", seen=schema.names, wanted=name, role=roles[name]
            )
    kind = found[columns.text]
    where = str(file.path)
    if kind is None or not (_is_text_or_null(kind) or _is_chat(kind)):
        raise not_text(where, columns.text, f"is {kind}", TEXT_COLUMN)
    if columns.prompt == columns.text and _is_text(kind):
        raise prompt_is_text(where, columns.text)
    for name in columns.extra if columns.strict else ():
        kind = found[name]
        if kind is None:
            continue
        chat = name == columns.prompt and _is_chat(kind)
        number = name in columns.naming and pa.types.is_integer(kind)
        if not (_is_text_or_null(kind) or chat or number):
            raise not_text(where, name, f"is {kind}")
    kind = found.get(columns.id or "")
    if kind is not None and not (_is_text(kind) or pa.types.is_integer(kind)):
        raise InputError(f"{file.path}: the id column {columns.id!r} is {kind}; {IDS}")
    kind = found.get(columns.lang or "")
    if kind is not None and not _is_text_or_null(kind):
        raise not_text(where, str(columns.lang), f"is {kind}")
    return [name for name, kind in found.items() if kind is not None]


def _kind(schema: pa.Schema, file: InputFile, name: str) -> pa.DataType | None:
    """The type of a column, or of `outer.inner` in a struct; of a dictionary that of its values."""
    if (count := schema.names.count(name)) > 1:
        raise InputError(
            f"{file.path}: {count} columns have the name {name!r}; rename all but one"
        )
    if count:
        kind = schema.field(name).type
    else:
        outer, _, inner = name.partition(".")
        whole = _kind(schema, file, outer) if inner else None
        if whole is None or not pa.types.is_struct(whole):
            return None
        kind = _kind(pa.schema(list(whole)), file, inner)
    return kind.value_type if kind and pa.types.is_dictionary(kind) else kind


def _is_text(kind: pa.DataType) -> bool:
    return (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
    )


def _is_text_or_null(kind: pa.DataType) -> bool:
    return _is_text(kind) or pa.types.is_null(kind)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind)


def _is_chat(kind: pa.DataType) -> bool:
    """Whether a column is a list of structs with the text fields role and content."""
    message = kind.value_type if _is_list(kind) else kind
    if not (_is_list(kind) and pa.types.is_struct(message)):
        return False
    fields = [message.get_field_index(name) for name in ("role", "content")]
    return min(fields) >= 0 and all(_is_text(message.field(at).type) for at in fields)


def _column(batch: pa.RecordBatch, name: str) -> pa.Array | None:
    """A column as plain values, or what lies under a dotted name in a struct; None where there is none."""
    if name in batch.schema.names:
        column = batch.column(name)
    else:
        outer, *inner = name.split(".")
        if not inner or outer not in batch.schema.names:
            return None
        from pyarrow.compute import struct_field  # a quarter of a second

        column = batch.column(outer)
        for part in inner:
            kind = column.type
            if not pa.types.is_struct(kind) or kind.get_field_index(part) < 0:
                return None
            column = struct_field(column, part)
    if pa.types.is_dictionary(column.type):
        return column.dictionary_decode()
    return column


def _extra(
    batch: pa.RecordBatch, file: InputFile, row: int, name: str, bad: Bad, *, chat: bool
):
    """A further column as text, chats joined where asked for; what the folders say where the file has none."""
    column = _column(batch, name)
    if column is None:
        return [from_folders(file.path, name)] * batch.num_rows
    if chat and _is_list(column.type):
        return _chats(column, file, row, name, bad, answers=False)[1]
    if pa.types.is_temporal(column.type):  # nanoseconds have no value in Python
        column = column.cast(pa.string())
    return list(map(as_text, _values(column, file, row, name, bad)))


def _texts(
    column: pa.Array, file: InputFile, row: int, bad: Bad
) -> pl.Series | list[Any]:
    """The texts; the rows that are not UTF-8 go to `bad` by their place."""
    if pa.types.is_null(column.type):
        return pl.repeat(None, len(column), eager=True, dtype=pl.String)
    try:
        column.validate(full=True)
        return pl.Series(pl.from_arrow(column)).cast(pl.String)
    except (pa.ArrowInvalid, pl.exceptions.PolarsError):
        return _values(column.cast(pa.large_binary()), file, row, "", bad, decode=True)


def _chats(
    column: pa.Array, file: InputFile, row: int, name: str, bad: Bad, *, answers: bool
) -> tuple[list[str | None], list[str | None]]:
    """(prompts, texts) of a column of chats; prompts are None unless the answers are asked for."""
    pairs: list[tuple[str | None, str | None]] = []
    for at, messages in enumerate(_values(column, file, row, name, bad)):
        pair: tuple[str | None, str | None] = (None, None)
        where = f"{file.path}: row {row + at + 1} of column {name!r}"
        try:
            if messages is not None and answers:
                pair = asked_and_answer(messages, where)
            elif messages is not None:
                pair = (None, joined(messages, where))
        except InputError as error:
            bad.setdefault(at, (error, None))
        pairs.append(pair)
    return [asked for asked, _ in pairs], [text for _, text in pairs]


def _values(
    column: pa.Array, file: InputFile, row: int, name: str, bad: Bad, decode=False
) -> list[Any]:
    """Values as Python has them; a row whose value is no UTF-8 or has none in Python goes to `bad`."""
    try:
        return [_text_of(value) if decode else value for value in column.to_pylist()]
    except (ValueError, OverflowError, pa.ArrowException):
        pass
    values: list[Any] = []
    for at, scalar in enumerate(column):
        try:
            values.append(_text_of(scalar.as_py()) if decode else scalar.as_py())
        except (ValueError, OverflowError, pa.ArrowException) as error:
            values.append(None)
            where = f"{file.path}: row {row + at + 1}"
            if isinstance(error, UnicodeDecodeError):
                what = f"text that is not UTF-8 ({error.reason}); write the file again"
            else:
                what = f"a value of {name!r} that cannot be read ({error}); mend it"
            raw = scalar.as_py() if decode else None
            bad.setdefault(at, (InputError(f"{where} holds {what}"), raw))
    return values


def _text_of(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode("utf-8")
