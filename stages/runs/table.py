"""A runs table, one row a finished run, checkpointed budget and metric, as it is read; ours or anybody's.

`value` of a loss is in nats. A foreign table is read by mapping law variables to its columns.
"""

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from stages.foundation.errors import InputError
from stages.foundation.one_line import shortened
from stages.runs.table_file import read_file

if TYPE_CHECKING:
    import numpy as np

log = logging.getLogger("assay")

YES = ("true", "t", "yes", "y", "1", "1.0")
NO = ("false", "f", "no", "n", "0", "0.0", "")
# the largest numbers of 64 and 32 bits, in which trackers such as MLflow store an infinite loss
LARGEST = 1e60  # assumed: no count, budget or loss of a run is near it
INFINITE = (1.797e308, 3.4028234e38)


def read_table(
    source: str | Path, mapping: dict[str, str] | None = None, where: str | None = None
) -> pl.DataFrame:
    """A CSV or parquet table of runs with law variables under their own names.

    mapping: law variable -> column of the table. where: an SQL boolean over the columns.
    Raises InputError with one line where the file, a column or the expression is not usable.
    """
    return mapped(read_file(Path(source)), str(source), mapping=mapping, where=where)


def mapped(
    table: pl.DataFrame,
    name: str,
    mapping: dict[str, str] | None = None,
    where: str | None = None,
) -> pl.DataFrame:
    """The rows that hold `where`, with law variables under their own names; `name` is what messages call the table."""
    for variable, column in (mapping or {}).items():
        if column not in table.columns:
            raise InputError(
                f"{name}: no column {column!r} for {variable}; columns are"
                f" {', '.join(table.columns[:20])}"
            )
        table = table.with_columns(pl.col(column).alias(variable))
    if where:
        table = filter_rows(table, where, name)
    table = without_diverged(table, name)
    if table.is_empty():
        raise InputError(
            f"{name}: no rows"
            + (f" where {where}" if where else "; expected one row a run")
        )
    return table


def without_diverged(table: pl.DataFrame, name: str) -> pl.DataFrame:
    """The rows that are not marked `diverged`: the loss of a run that failed says nothing of its
    data. How many go is logged.

    The mark is true or false, yes or no, 1 or 0, or empty for no; InputError names another word.
    """
    if "diverged" not in table.columns:
        return table
    marked = _marks(table["diverged"], name)
    n_diverged = int(marked.sum())
    if not n_diverged:
        return table
    log.warning(
        "%s: %d of %d rows are marked diverged and left out",
        name,
        n_diverged,
        len(table),
    )
    return table.filter(~marked)


def _marks(column: pl.Series, name: str) -> pl.Series:
    """A column of yes and no, however it is written, as booleans (rows,)."""
    if column.dtype == pl.Boolean:
        return column.fill_null(False)
    words = as_words(column, name).str.strip_chars().str.to_lowercase()
    yes, no = words.is_in(YES).fill_null(False), words.is_in(NO).fill_null(True)
    bad = (~(yes | no)).arg_max()
    if bad is not None and not (yes | no)[bad]:
        raise InputError(
            f"{name}: column {column.name!r}, row {bad + 1}: {column[bad]!r} is neither"
            " yes nor no (true or false, yes or no, 1 or 0); mend it, or leave the row"
            " out with --where"
        )
    return yes


def filter_rows(table: pl.DataFrame, where: str, name: str) -> pl.DataFrame:
    """Rows for which the SQL boolean holds (polars SQL, never Python)."""
    try:
        return table.filter(pl.sql_expr(where))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = re.sub(r"\s+", " ", str(error))
        missing = re.search(r'unable to find column "([^"]*)"', reason)
        if missing:
            reason = (
                f"no column {missing[1]!r} (a text value stands in single quotes: data"
                f" = 'c4'); columns are {', '.join(table.columns[:20])}"
            )
        raise InputError(
            f"{name}: cannot filter by {shortened(where, 80)!r}:"
            f" {shortened(reason, 150)}"
        ) from None


def _refuse_stored_infinity(values: "np.ndarray", column: str, name: str) -> None:
    largest, single = INFINITE
    size = abs(values)
    bad = (size >= largest) | (abs(size / single - 1) < 1e-6)
    if bad.any():
        row = int(bad.argmax())
        raise InputError(
            f"{name}: column {column!r}, row {row + 1}: {values[row]:.4g} is how a"
            " tracker stores infinity, the mark of a run that diverged"
            f" ({int(bad.sum())} of {bad.size} rows); leave it out with --where"
            f' "{column} < 1e30"'
        )


def numbers(
    table: pl.DataFrame, names: list[str], name: str
) -> dict[str, "np.ndarray"]:
    """The columns as float64 arrays (n,); InputError naming the column, row and value that is none."""
    columns = {}
    for column in names:
        if column not in table.columns:
            raise InputError(
                f"{name}: no column {column!r}; map one with --map {column}=COLUMN"
                f" (columns: {', '.join(table.columns[:20])})"
            )
        series = _as_numbers(table[column], name)
        bad = (series.is_null() | series.is_nan() | series.is_infinite()).arg_max()
        if bad is not None and (
            series[bad] is None or not abs(series[bad]) < float("inf")
        ):
            raise InputError(
                f"{name}: column {column!r}, row {bad + 1}: {table[column][bad]!r} is"
                " not a finite number; mend it or leave it out with --where"
            )
        columns[column] = series.to_numpy()
        _refuse_stored_infinity(columns[column], column, name)
        _refuse_out_of_range(columns[column], column, name)
    return columns


def as_words(column: pl.Series, name: str) -> pl.Series:
    """A column as text (rows,), whatever its type; InputError where a cell is a list, a record or no text."""
    if column.dtype == pl.Binary:
        found = [
            value and value.decode("utf-8", "backslashreplace") for value in column
        ]
        return pl.Series(column.name, found, dtype=pl.String)
    if column.dtype.is_nested() or column.dtype == pl.Object:
        raise InputError(
            f"{name}: column {column.name!r} holds {column.dtype}, not one word a row;"
            " name another column"
        )
    return column.cast(pl.String)


def _as_numbers(column: pl.Series, name: str) -> pl.Series:
    """A column as floats (rows,), null where a cell is no number; InputError where its type can hold none."""
    kind = column.dtype
    if kind.is_nested() or kind.is_temporal() or kind == pl.Object:
        raise InputError(
            f"{name}: column {column.name!r} holds {kind}, not numbers; write one number"
            " a row, or map another column"
        )
    if kind in (pl.Binary, pl.Categorical, pl.Enum):
        column = as_words(column, name)
    return column.cast(pl.Float64, strict=False)


def _refuse_out_of_range(values: "np.ndarray", column: str, name: str) -> None:
    """Numbers whose powers no float holds."""
    size = abs(values)
    bad = (size > LARGEST) | ((size > 0) & (size < 1 / LARGEST))
    if bad.any():
        row = int(bad.argmax())
        raise InputError(
            f"{name}: column {column!r}, row {row + 1}: {values[row]:.4g} is outside"
            f" {1 / LARGEST:g} to {LARGEST:g} ({int(bad.sum())} of {bad.size} rows); give"
            " it in other units"
        )
