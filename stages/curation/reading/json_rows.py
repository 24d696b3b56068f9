"""Rows of JSON lines, plain or compressed, each checked on its own.

Question: what does each line hold? Input: a file or a span of its bytes. Output: batches of rows; every line that is
not an object with the text asked for goes to `on_bad` with its number, its byte offset and its bytes.
Cost: 150 MB a CPU-second, compressed 100 (measured); memory of one batch.
"""

import json
from collections.abc import Iterator
from typing import Any

import orjson

from stages.curation.reading.inputs import CutOff, LongLine, Span, byte_lines, decoded
from stages.curation.reading.named_files import InputFile
from stages.curation.reading.rows import (
    BATCH_ROWS,
    IDS,
    MISSING,
    OTHER_COLUMN,
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
    of_key,
    prompt_is_text,
    refuse,
)
from stages.foundation.errors import InputError


def json_rows(
    file: InputFile,
    columns: Columns,
    batch_chars: int,
    *,
    span: Span | None = None,
    on_bad: OnBad = refuse,
    max_row_bytes: int | None = None,
) -> Iterator[RawRows]:
    """Batches of about `batch_chars` characters. Blank lines are no rows; a cut-off end is the rest of a file."""
    rows, size = _empty(columns), 0
    lines = byte_lines(file, span, max_row_bytes)
    while True:
        try:
            number, offset, raw = next(lines)
        except StopIteration:
            break
        except CutOff as error:
            on_bad(
                BadRow(
                    file.name,
                    line=error.line,
                    offset=error.offset,
                    error=error,
                    raw=error.rest,
                    is_rest=True,
                )
            )
            break
        try:
            size += _add(
                rows, file, number=number, offset=offset, raw=raw, columns=columns
            )
        except InputError as error:
            on_bad(BadRow(file.name, line=number, offset=offset, error=error, raw=raw))
        if size >= batch_chars or len(rows.names) >= BATCH_ROWS:
            yield rows
            rows, size = _empty(columns), 0
    if rows.names:
        yield rows


def _empty(columns: Columns) -> RawRows:
    return RawRows(
        langs=None if columns.lang is None else [],
        extra={name: [] for name in columns.extra},
    )


def _add(
    rows: RawRows,
    file: InputFile,
    number: int,
    offset: int,
    raw: bytes,
    columns: Columns,
) -> int:
    """Add the row on this line, if there is one; what it adds to a batch."""
    if isinstance(raw, LongLine):
        raise InputError(
            f"{file.path}:{number}: the line has {raw.n_bytes} bytes, more than"
            " max_row_bytes; raise it or split the document"
        )
    row = _plain_row(raw, columns)
    if row is None:
        line = decoded(raw, f"{file.path}:{number}", offset)
        line = line.removeprefix("\ufeff") if number == 1 else line
        if not line or line.isspace():
            return 0  # a blank line is no row
        row = _row(line, file, number)
        if "\\u" in line:
            for wanted in columns.names:
                _refuse_lone_surrogate(of_key(row, wanted), file, number)
    where = f"{file.path}:{number}"
    value = _value(row, columns.text, file=file, number=number)
    asked = None
    if columns.prompt == columns.text and value is not None:
        asked, value = _prompt_and_answer(value, where, columns.text)
    elif isinstance(value, list):
        value = joined(value, f"{where}: column {columns.text!r}")
    name = (
        number
        if columns.id is None
        else str(_value(row, columns.id, file=file, number=number, kinds=(str, int)))
    )
    lang = (
        None
        if columns.lang is None
        else _value(row, columns.lang, file=file, number=number, kinds=(str,))
    )
    extra = [
        asked
        if column == columns.prompt == columns.text
        else _extra(row, column, file=file, number=number, columns=columns)
        for column in rows.extra
    ]
    rows.texts.append(value)
    rows.names.append(name)
    if rows.langs is not None:
        rows.langs.append(lang)
    for found, values in zip(extra, rows.extra.values(), strict=True):
        values.append(found)
    return sum(map(len, filter(None, (value, *extra))))


def _prompt_and_answer(value: str | list, where: str, name: str) -> tuple[str, str]:
    if isinstance(value, str):
        raise prompt_is_text(where, name)
    return asked_and_answer(value, f"{where}: column {name!r}")


def _extra(
    row: dict, name: str, file: InputFile, number: int, columns: Columns
) -> str | None:
    value = of_key(row, name)
    if value is MISSING:
        return from_folders(file.path, name)
    if name == columns.prompt and isinstance(value, list):
        return joined(value, f"{file.path}:{number}: column {name!r}")
    if name in columns.naming and type(value) is int:
        return str(value)
    if columns.strict and not isinstance(value, str | None):
        raise not_text(f"{file.path}:{number}", name, _held(value))
    return as_text(value)


def _plain_row(raw: bytes, columns: Columns) -> dict | None:
    """The row by the faster reader; None where it has to be looked at, or where a value that is wanted may
    differ: numbers of more than 64 bits are floats there.
    """
    try:
        row = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    if type(row) is not dict:
        return None
    values = (of_key(row, name) for name in columns.names)
    return None if any(type(value) in (float, dict, list) for value in values) else row


def _row(line: str, file: InputFile, number: int) -> dict:
    try:
        row = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        array = (
            number == 1
            and line.lstrip().startswith(("[", "{"))
            and len(line.strip()) < 3
        )
        cure = (
            "this is one JSON document, not JSON lines; turn it into lines with: jq -c"
            " '.[]'"
            if array
            else "mend or delete the line"
        )
        reason = (
            f"{error.msg} at column {error.colno}"
            if isinstance(error, json.JSONDecodeError)
            else "nested too deep"
        )
        raise InputError(
            f"{file.path}:{number}: broken JSON ({reason}, near"
            f" {_near(line, error)!r}); {cure}"
        ) from None
    except ValueError as error:  # an integer of thousands of digits
        raise InputError(
            f"{file.path}:{number}: broken JSON ({error}); mend or delete the line"
        ) from None
    if isinstance(row, dict):
        return row
    kind = "a JSON array" if isinstance(row, list) else f"a JSON {type(row).__name__}"
    raise InputError(
        f"{file.path}:{number}: the line holds {kind}, not an object; turn it into"
        " lines with: jq -c '.[]'"
    )


def _refuse_lone_surrogate(value: Any, file: InputFile, number: int) -> None:
    text = as_text(value) or ""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(text[error.start]):04x}"
        where = (
            f"{file.path}:{number}: half a surrogate pair ({half}) at character"
            f" {error.start}"
        )
        raise InputError(f"{where} is no text; mend or delete the line") from None


def _near(line: str, error: Exception) -> str:
    at = getattr(error, "pos", 0)
    return line[max(0, at - 15) : at + 15]


def _value(
    row: dict, name: str, file: InputFile, number: int, kinds: tuple = (str, list)
):
    value = of_key(row, name)
    if isinstance(value, kinds) and not isinstance(value, bool):
        return value
    where = f"{file.path}:{number}"
    if value is MISSING:
        role = "text" if list in kinds else "id" if int in kinds else "lang"
        raise missing_column(file, f":{number}", seen=list(row), wanted=name, role=role)
    if value is None and int not in kinds:
        return None
    cure = OTHER_COLUMN
    if int in kinds:
        cure = IDS
    elif list in kinds:
        cure = TEXT_COLUMN
    raise not_text(where, name, _held(value), cure)


def _held(value: Any) -> str:
    if value is None:
        return "holds null"
    return f"holds {type(value).__name__} {str(value)[:30]!r}"
