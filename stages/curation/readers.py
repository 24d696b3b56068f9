"""Read a raw pool as a stream of document tables: parquet, JSON lines (plain, .gz, .zst) and folders of text files.

Question: which documents does this pool hold? Input: files, folders or globs. Output: batches with the columns of
`documents.SCHEMA`. No row is skipped in silence: empty texts are left out and counted, and everything else that
cannot be read is an InputError that names file, line and cure.
Cost: memory of one batch; JSON lines 150 MB a CPU-second, compressed 100, parquet 190 (measured). Mapping an id
column adds about 100 bytes a document, to find repeated ids.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from stages.curation.documents import documents, empty_documents
from stages.curation.files import InputFile, byte_chunks, byte_lines, decoded, find_files
from stages.curation.passages import split_passages
from stages.errors import InputError

BATCH_CHARS = 16_000_000  # a batch ends at the first row beyond it: about 60 MB with its parsed copy (measured)
PARQUET_ROWS = 2048


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Names of the columns or JSON keys that hold a document; `id` and `lang` are optional."""

    text: str = "text"
    id: str | None = None  # becomes part of `source` in place of the line number, and must be unique in its file
    lang: str | None = None


@dataclass
class ReadReport:
    """What a read saw; filled while the batches are taken. rows = documents before splitting + empty."""

    files: int = 0
    rows: int = 0
    empty: int = 0
    empty_sources: list[str] = field(default_factory=list)  # the first ten, to look at
    documents: int = 0  # rows of the batches, after splitting into passages
    characters: int = 0
    ignored: list[Path] = field(default_factory=list)  # files in a folder left out by their suffix


def read_documents(
    inputs: Sequence[str | os.PathLike] | str | os.PathLike,
    pool: str,
    *,
    columns: Columns = Columns(),
    passage_chars: int | None = None,
    batch_chars: int = BATCH_CHARS,
    lang: str | None = None,
    report: ReadReport | None = None,
) -> Iterator[pl.DataFrame]:
    """Batches of about `batch_chars` characters, in the order of file names and lines; `lang` fills unknown ones.

    >>> report = ReadReport()
    >>> for batch in read_documents("raw/*.jsonl.zst", "crawl", passage_chars=2000, report=report): ...
    """
    report = ReadReport() if report is None else report
    files, report.ignored = find_files(inputs)
    for file in files:
        report.files += 1
        seen: set[str] = set()
        for texts, names, langs in _raw_batches(file, columns, batch_chars):
            report.rows += len(texts)
            frame = documents(texts, _sources(file, names, columns, seen), pool, langs=langs or lang)
            yield from _finished(frame, passage_chars, report)


def read_all(inputs, pool: str, **options) -> pl.DataFrame:
    """Every document of a pool as one table; for pools that fit in memory."""
    return pl.concat([empty_documents(), *read_documents(inputs, pool, **options)])


def _finished(frame: pl.DataFrame, passage_chars: int | None, report: ReadReport) -> Iterator[pl.DataFrame]:
    blank = frame["text"].fill_null("").str.strip_chars() == ""
    if blank.any():
        report.empty += int(blank.sum())
        room = 10 - len(report.empty_sources)
        report.empty_sources += frame.filter(blank)["source"].head(room).to_list()
        frame = frame.filter(~blank)
    if passage_chars:
        frame = split_passages(frame, passage_chars)
    report.documents += frame.height
    report.characters += int(frame["n_chars"].sum())
    if frame.height:
        yield frame


def _sources(file: InputFile, names: list, columns: Columns, seen: set[str]) -> list[str]:
    if file.kind == "text":
        return [file.name]
    if columns.id is None:
        return [f"{file.name}:{name}" for name in names]
    for name in names:
        if name in seen:
            raise InputError(f"{file.path}: id {name!r} occurs twice in column {columns.id!r}; choose a unique column or none")
        seen.add(name)
    return [f"{file.name}#{name}" for name in names]


def _raw_batches(file: InputFile, columns: Columns, batch_chars: int) -> Iterator[tuple[list, list, list | None]]:
    """(texts, names, langs): a name is the id where one is mapped, else the number of the line or row from 1."""
    if file.path.stat().st_size == 0:
        raise InputError(f"{file.path}: the file is empty; write it again or leave it out")
    reader = {"parquet": _parquet, "jsonl": _json_lines, "text": _text_file}[file.kind]
    rows = 0
    for batch in reader(file, columns, batch_chars):
        rows += len(batch[0])
        yield batch
    if rows == 0:
        raise InputError(f"{file.path}: the file holds no rows; write it again or leave it out")


def _text_file(file: InputFile, columns: Columns, batch_chars: int) -> Iterator[tuple[list, list, None]]:
    text = decoded(b"".join(byte_chunks(file)), str(file.path), 0)
    yield [text.removeprefix("\ufeff")], [1], None


def _json_lines(file: InputFile, columns: Columns, batch_chars: int) -> Iterator[tuple[list, list, list | None]]:
    texts, names, langs, size = [], [], [], 0
    for number, offset, raw in byte_lines(file):
        line = decoded(raw, f"{file.path}:{number}", offset)
        line = line.removeprefix("\ufeff") if number == 1 else line
        if not line or line.isspace():
            continue  # a blank line is no row
        row = _json_row(line, file, number)
        value = _json_value(row, columns.text, file, number)
        if "\\u" in line:
            _refuse_lone_surrogate(value or "", file, number)
        texts.append(value)
        names.append(number if columns.id is None else str(_json_value(row, columns.id, file, number, kinds=(str, int))))
        langs.append(None if columns.lang is None else _json_value(row, columns.lang, file, number))
        size += len(value or "")
        if size >= batch_chars:
            yield texts, names, langs if columns.lang else None
            texts, names, langs, size = [], [], [], 0
    if texts:
        yield texts, names, langs if columns.lang else None


def _json_row(line: str, file: InputFile, number: int) -> dict:
    try:
        row = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        array = number == 1 and line.lstrip().startswith(("[", "{")) and len(line.strip()) < 3
        cure = "this is one JSON document, not JSON lines; turn it into lines with: jq -c '.[]'" if array else "mend or delete the line"
        reason = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else "nested too deep"
        raise InputError(f"{file.path}:{number}: broken JSON ({reason}, near {_near(line, error)!r}); {cure}") from None
    if isinstance(row, dict):
        return row
    kind = "a JSON array" if isinstance(row, list) else f"a JSON {type(row).__name__}"
    raise InputError(f"{file.path}:{number}: the line holds {kind}, not an object; turn it into lines with: jq -c '.[]'")


def _refuse_lone_surrogate(text: str, file: InputFile, number: int) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(text[error.start]):04x}"
        where = f"{file.path}:{number}: half a surrogate pair ({half}) at character {error.start}"
        raise InputError(f"{where} is no text; mend or delete the line") from None


def _near(line: str, error: Exception) -> str:
    at = getattr(error, "pos", 0)
    return line[max(0, at - 15) : at + 15]


def _json_value(row: dict, name: str, file: InputFile, number: int, kinds: tuple = (str,)):
    value = row.get(name)
    if isinstance(value, kinds) and not isinstance(value, bool):
        return value
    where = f"{file.path}:{number}"
    if name not in row:
        raise InputError(f"{where}: no column {name!r}; {_mapping_hint(list(row), name)}")
    if value is None and kinds == (str,):
        return None
    raise InputError(f"{where}: column {name!r} holds {type(value).__name__} {str(value)[:30]!r}, not text; map the column that holds the text")


def _mapping_hint(seen: list[str], wanted: str) -> str:
    guesses = [name for name in ("text", "content", "body", "raw_content", "document", "completion") if name in seen and name != wanted]
    guess = f"; map it, for example text={guesses[0]}" if guesses else "; map the column that holds it, for example text=NAME"
    return f"columns seen: {', '.join(seen[:20]) or '(none)'}{guess}"


def _parquet(file: InputFile, columns: Columns, batch_chars: int) -> Iterator[tuple[pl.Series, list, list | None]]:
    try:
        table = pq.ParquetFile(file.path)
        wanted = _parquet_columns(table.schema_arrow, file, columns)
        row = 0
        for batch in table.iter_batches(batch_size=PARQUET_ROWS, columns=wanted):
            texts = _parquet_text(batch.column(columns.text), file, row)
            ids = None if columns.id is None else _parquet_ids(batch.column(columns.id), file, columns.id, row)
            langs = None if columns.lang is None else batch.column(columns.lang).to_pylist()
            yield texts, ids or list(range(row + 1, row + 1 + batch.num_rows)), langs
            row += batch.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{file.path}: not a readable parquet file ({str(error).splitlines()[0]}); write or fetch it again") from None


def _parquet_ids(column: pa.Array, file: InputFile, name: str, row: int) -> list[str]:
    ids = column.to_pylist()
    if None in ids:
        raise InputError(f"{file.path}: row {row + ids.index(None) + 1} has no value in the id column {name!r}; choose a full column or none")
    return [str(value) for value in ids]


def _parquet_columns(schema: pa.Schema, file: InputFile, columns: Columns) -> list[str]:
    wanted = [name for name in (columns.text, columns.id, columns.lang) if name is not None]
    for name in wanted:
        if name not in schema.names:
            raise InputError(f"{file.path}: no column {name!r}; {_mapping_hint(schema.names, name)}")
    kind = schema.field(columns.text).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise InputError(f"{file.path}: column {columns.text!r} is {kind}, not text; map the column that holds the text")
    return list(dict.fromkeys(wanted))


def _parquet_text(column: pa.Array, file: InputFile, row: int) -> pl.Series:
    try:
        column.validate(full=True)
        return pl.Series(pl.from_arrow(column)).cast(pl.String)
    except (pa.ArrowInvalid, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{file.path}: rows {row + 1} to {row + len(column)} hold text that is not UTF-8 ({reason}); write the file again") from None
