"""Read a raw pool as a stream of document tables: parquet, JSON lines (plain, .gz, .zst), WET files
and folders of text.

Question: which documents does this pool hold? Input: files, folders, globs or URLs. Output: batches
with the columns of `documents.SCHEMA`. No row is skipped in silence: empty texts are left out and
counted, and everything else that cannot be read is an InputError that names file, line and cure, or
goes to `on_bad`. Cost: memory of one batch; JSON lines 150 MB a CPU-second, compressed 100, parquet
190 (measured). Mapping an id column adds about 100 bytes a document, to find repeated ids.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from stages.curation.reading import storage
from stages.curation.reading.documents import SCHEMA, documents, empty_documents
from stages.curation.reading.inputs import Span, byte_chunks, decoded
from stages.curation.reading.json_rows import json_rows
from stages.curation.reading.named_files import InputFile, find_files
from stages.curation.reading.parquet_rows import parquet_rows
from stages.curation.reading.passages import split_passages
from stages.curation.reading.rows import (
    MAX_ROW_BYTES,
    BadRow,
    Columns,
    OnBad,
    RawRows,
    refuse,
)
from stages.curation.reading.warc_rows import warc_rows
from stages.foundation.errors import InputError

BATCH_CHARS = 16_000_000  # a batch ends at the first row beyond it: about 60 MB with its parsed copy (measured)


@dataclass
class ReadReport:
    """What a read saw; filled while the batches are taken. rows = documents before splitting + empty."""

    files: int = 0
    rows: int = 0
    empty: int = 0
    empty_sources: list[str] = field(default_factory=list)  # the first ten, to look at
    documents: int = 0  # rows of the batches, after splitting into passages
    characters: int = 0
    # files in a folder left out by their suffix
    ignored: list[Path] = field(default_factory=list)


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
    `columns.extra` are carried along as text, NAME as `extra_NAME`.

    >>> _ = Path("a.jsonl").write_text('{"text": "One."}\\n{"text": ""}\\n{"text": "Two."}\\n')
    >>> report = ReadReport()
    >>> for batch in read_documents("*.jsonl", "crawl", report=report):
    ...     print(batch["text"].to_list())
    ['One.', 'Two.']
    """
    report = ReadReport() if report is None else report
    files, report.ignored = find_files(inputs)
    for file in files:
        report.files += 1
        before = storage.stamp(file.path)
        seen: set[str] = set()
        for rows in _checked_rows(file, columns, batch_chars):
            report.rows += len(rows.names)
            frame = documents(
                rows.texts,
                _sources(file, rows.names, columns=columns, seen=seen),
                pool,
                langs=rows.langs or lang,
            )
            frame = frame.with_columns(
                pl.Series(f"extra_{name}", values, dtype=pl.String)
                for name, values in rows.extra.items()
            )
            yield from _finished(frame, passage_chars, report)
        storage.refuse_changed(file.path, before)


def read_all(inputs, pool: str, **options) -> pl.DataFrame:
    """Every document of a pool as one table; for pools that fit in memory."""
    return pl.concat([empty_documents(), *read_documents(inputs, pool, **options)])


def _finished(
    frame: pl.DataFrame, passage_chars: int | None, report: ReadReport
) -> Iterator[pl.DataFrame]:
    blank = frame["text"].fill_null("").str.strip_chars() == ""
    if blank.any():
        report.empty += int(blank.sum())
        room = 10 - len(report.empty_sources)
        report.empty_sources += frame.filter(blank)["source"].head(room).to_list()
        frame = frame.filter(~blank)
    if passage_chars:
        whole, own = frame, [name for name in frame.columns if name not in SCHEMA]
        frame = split_passages(frame.select(list(SCHEMA)), passage_chars)
        if own:
            frame = frame.join(
                whole.select(pl.col("id").alias("parent"), *own),
                on="parent",
                how="left",
                maintain_order="left",
            )
    report.documents += frame.height
    report.characters += int(frame["n_chars"].sum())
    if frame.height:
        yield frame


def _sources(
    file: InputFile, names: list, columns: Columns, seen: set[str]
) -> list[str]:
    if file.kind == "text":
        return [file.name]
    if columns.id is None:
        return [f"{file.name}:{name}" for name in names]
    for name in names:
        if name in seen:
            raise InputError(
                f"{file.path}: id {name!r} occurs twice in column {columns.id!r};"
                " choose a unique column or none"
            )
        seen.add(name)
    return [f"{file.name}#{name}" for name in names]


def _checked_rows(
    file: InputFile, columns: Columns, batch_chars: int
) -> Iterator[RawRows]:
    if storage.size_of(file.path) == 0:
        raise InputError(
            f"{file.path}: the file is empty; write it again or leave it out"
        )
    rows = 0
    for batch in read_rows(file, columns, batch_chars, max_row_bytes=MAX_ROW_BYTES):
        rows += len(batch.names)
        yield batch
    if rows == 0:
        raise InputError(
            f"{file.path}: the file holds no rows; write it again or leave it out"
        )


def read_rows(
    file: InputFile,
    columns: Columns,
    batch_chars: int,
    *,
    span: Span | None = None,
    on_bad: OnBad = refuse,
    max_row_bytes: int | None = None,
) -> Iterator[RawRows]:
    """The rows of one file, or of a span of it, in order; what cannot be read goes to `on_bad`."""
    if file.kind == "jsonl":
        yield from json_rows(
            file,
            columns,
            batch_chars,
            span=span,
            on_bad=on_bad,
            max_row_bytes=max_row_bytes,
        )
    elif file.kind == "parquet":
        yield from parquet_rows(
            file, columns, span=span, on_bad=on_bad, max_row_bytes=max_row_bytes
        )
    elif file.kind == "warc":
        yield from warc_rows(
            file, columns, batch_chars, on_bad=on_bad, max_row_bytes=max_row_bytes
        )
    else:
        yield from _text_file(file, columns, on_bad=on_bad, max_row_bytes=max_row_bytes)


def _text_file(
    file: InputFile, columns: Columns, on_bad: OnBad, max_row_bytes: int | None
) -> Iterator[RawRows]:
    parts, size = [], 0
    try:
        for chunk in byte_chunks(file):
            parts.append(chunk)
            size += len(chunk)
            if max_row_bytes is not None and size > max_row_bytes:
                parts = []
                raise InputError(
                    f"{file.path}: the text has more than max_row_bytes,"
                    f" {max_row_bytes}; raise it or split the document"
                )
        text = decoded(b"".join(parts), str(file.path), 0)
    except InputError as error:
        on_bad(
            BadRow(
                file.name,
                line=None,
                offset=None,
                error=error,
                raw=b"".join(parts),
                is_rest=True,
            )
        )
        return
    yield RawRows(
        [text.removeprefix("\ufeff")],
        names=[1],
        langs=None,
        extra={name: [None] for name in columns.extra},
    )
