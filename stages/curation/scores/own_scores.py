"""A user's own scores: a Python function `module:function`, or a column of the input files.

Question: what does the user's scorer say of each document? Input: documents and where their scores
come from. Output: one finite number each. A function gets the texts (a list of str) and returns as
many numbers; a column is read from files of the kinds that ingest reads and joined by `source`, so
passages of a document share its value. High is what the user says it is. Cost: the function's own;
for a column one pass over the files. Fails loudly, never quietly: a missing value, a wrong number
of values or an exception of the function is one line and no scores.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from stages.curation.reading.inputs import byte_lines, decoded
from stages.curation.reading.named_files import InputFile, find_files
from stages.foundation.errors import InputError

BATCH_TEXTS = 1000
Scorer = Callable[[list[str]], Sequence[float]]


def load_scorer(name: str) -> Scorer:
    """The function behind `module:function`, looked for on the Python path and in the working folder."""
    module_name, _, function_name = name.partition(":")
    if not module_name or not function_name:
        raise InputError(
            f"scorer {name!r} is not of the form module:function, for example"
            " my_scores:rate"
        )
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = getattr(importlib.import_module(module_name), function_name, None)
    except (
        Exception
    ) as error:  # the user's module may raise anything; it is reported, not passed over
        raise InputError(
            f"scorer {name!r}: importing {module_name} failed: {_one_line(error)}"
        ) from None
    if not callable(found):
        raise InputError(
            f"scorer {name!r}: {module_name} has no function {function_name!r}"
        )
    return found


def function_scores(texts: Sequence[str], name: str) -> np.ndarray:
    """Scores (n,) by a user's function, called on at most `BATCH_TEXTS` texts at a time.

    >>> source = "def rate(texts): return [len(text) for text in texts]"
    >>> _ = Path("rating.py").write_text(source)
    >>> function_scores(["long text", "short"], "rating:rate")
    array([9., 5.])
    """
    scorer, texts, parts = load_scorer(name), list(texts), []
    for first in range(0, len(texts), BATCH_TEXTS):
        batch = texts[first : first + BATCH_TEXTS]
        try:
            values = np.asarray(scorer(batch), dtype=np.float64)
        except Exception as error:  # the user's function may raise anything; it is reported, not passed over
            raise InputError(
                f"scorer {name!r} failed on documents {first + 1} to"
                f" {first + len(batch)}: {_one_line(error)}"
            ) from None
        if values.shape != (len(batch),):
            raise InputError(
                f"scorer {name!r} gave {values.shape} values for {len(batch)} texts;"
                " return one number a text"
            )
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values))[0])
            raise InputError(
                f"scorer {name!r} gave {values[row]} for document {first + row + 1};"
                " return finite numbers"
            )
        parts.append(values)
    return np.concatenate(parts) if parts else np.zeros(0)


def column_scores(
    frame: pl.DataFrame, path: str | list[str], column: str, *, id: str | None = None
) -> np.ndarray:
    """Scores (n,) from a column of the input files; `id` is the id column that ingest mapped, if it did.

    frame: document table with `source`; a passage's source is that of its document and "/k".
    """
    values = _joined(frame, path, column=column, id=id, read=_number)
    values = values.cast(pl.Float64)
    if lacking := int(
        (values.is_null() | values.is_nan() | values.is_infinite()).sum()
    ):
        first = frame["source"].filter(
            values.is_null() | values.is_nan() | values.is_infinite()
        )[0]
        raise InputError(
            f"column {column!r} has no finite number for {lacking} of {frame.height}"
            f" documents, the first is {first}; mend the column"
        )
    return values.to_numpy()


def column_labels(
    frame: pl.DataFrame, path: str | list[str], column: str, *, id: str | None = None
) -> list[list[str]]:
    """Labels of each document (n,) from a column of the input files that holds a text or a list of texts; null and an
    empty list are none. Arguments as in column_scores; a document whose row is not there is an InputError.
    """
    values = _joined(frame, path, column=column, id=id, read=_labels)
    if lacking := values.null_count():
        first = frame["source"].filter(values.is_null())[0]
        raise InputError(
            f"column {column!r}: {lacking} of {frame.height} documents have no row in"
            f" {path}, the first is {first}; give the files that ingest reads"
        )
    return [list(json.loads(value)) for value in values]


def _joined(
    frame: pl.DataFrame,
    path: str | list[str],
    *,
    column: str,
    id: str | None,
    read: Callable[[Any, str], Any],
) -> pl.Series:
    """What `read` makes of each document's row (n,), null where there is none."""
    files, _ = find_files(path)
    rows = [
        (source, value)
        for file in files
        for source, value in _file_values(file, column, id, read)
    ]
    kind = pl.Float64 if read is _number else pl.String
    table = pl.DataFrame(
        rows,
        schema={"source": pl.String, "value": kind},
        orient="row",
        strict=False,
    )
    if copies := table["source"].is_duplicated().sum():
        raise InputError(
            f"{copies} rows of {path} share their id in column {id!r}; choose a unique"
            " column"
        )
    wanted = frame.select("source").with_columns(
        whole=pl.col("source").str.replace(r"/\d+$", "")
    )
    exact = wanted.join(
        table, on="source", how="left", maintain_order="left", validate="m:1"
    )["value"]
    whole = wanted.join(
        table,
        left_on="whole",
        right_on="source",
        how="left",
        maintain_order="left",
        validate="m:1",
    )["value"]
    return exact.fill_null(whole)


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(
            f"{where} holds {str(value)[:30]!r}, not a number; mend the row"
        )
    return float(value)


def _labels(value: Any, where: str) -> str:
    """A list of texts, as JSON."""
    labels = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(labels, list) or not all(
        isinstance(label, str) and label.strip() for label in labels
    ):
        raise InputError(
            f"{where} holds {str(value)[:30]!r}, not a text or a list of texts; mend"
            " the row"
        )
    return json.dumps(labels)


def _file_values(
    file: InputFile,
    column: str,
    id_column: str | None,
    read: Callable[[Any, str], Any],
) -> Iterator[tuple[str, Any]]:
    """(source, value) of every row, sources named as the readers name them."""
    if file.kind == "text":
        raise InputError(
            f"{file.path}: a text file has no column {column!r}; give parquet or JSON"
            " lines"
        )
    for number, row in (_parquet_rows if file.kind == "parquet" else _json_rows)(
        file, [column, *([id_column] if id_column else [])]
    ):
        value = read(row[column], f"{file.path}:{number}: column {column!r}")
        yield (
            (
                f"{file.name}:{number}"
                if id_column is None
                else f"{file.name}#{row[id_column]}"
            ),
            value,
        )


def _parquet_rows(file: InputFile, columns: list[str]) -> Iterator[tuple[int, dict]]:
    try:
        table = pq.ParquetFile(file.path)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(
            f"{file.path}: not a readable parquet file ({str(error).splitlines()[0]});"
            " write or fetch it again"
        ) from None
    _require(file, columns, table.schema_arrow.names)
    number = 0
    for batch in table.iter_batches(columns=columns):
        for row in batch.to_pylist():
            number += 1
            yield number, row


def _json_rows(file: InputFile, columns: list[str]) -> Iterator[tuple[int, dict]]:
    for number, offset, raw in byte_lines(file):
        if raw.isspace() or not raw:
            continue
        try:
            row = json.loads(
                decoded(raw, f"{file.path}:{number}", offset).removeprefix("\ufeff")
            )
        except json.JSONDecodeError as error:
            raise InputError(
                f"{file.path}:{number}: broken JSON ({error.msg} at column"
                f" {error.colno}); mend or delete the line"
            ) from None
        _require(
            file,
            columns,
            seen=list(row) if isinstance(row, dict) else [],
            number=number,
        )
        yield number, row


def _require(
    file: InputFile, columns: list[str], seen: list[str], number: int | None = None
) -> None:
    for name in columns:
        if name not in seen:
            where = Path(file.path) if number is None else f"{file.path}:{number}"
            raise InputError(
                f"{where}: no column {name!r}; columns seen:"
                f" {', '.join(seen[:20]) or '(none)'}"
            )


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
