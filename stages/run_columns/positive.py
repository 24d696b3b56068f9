"""Columns of a table of runs as the positive numbers that laws read."""

import numpy as np
import polars as pl

from stages.foundation.errors import InputError
from stages.laws import LAWS
from stages.runs.table import numbers

MIXTURE = ("share_", "unique_")
MAY_BE_ZERO = {v.name for law in LAWS.values() for v in law.variables if v.may_be_zero}


def may_be_zero(column: str) -> bool:
    """Whether 0 is a value of the column: a pool that is not used, a rate that has not fallen."""
    return column in MAY_BE_ZERO or column.startswith(MIXTURE)


def positive_numbers(
    table: pl.DataFrame, names: list[str], name: str
) -> dict[str, np.ndarray]:
    """The columns as arrays (rows,): finite, and above 0 or at least 0 where that is a value; else
    InputError naming column, row and cure.
    """
    columns = numbers(table, names, name)
    for column, values in columns.items():
        bad = values < 0 if may_be_zero(column) else values <= 0
        if bad.any():
            row = int(bad.argmax())
            raise InputError(
                f"{name}: column {column!r}, row {row + 1}: {values[row]:g} is not"
                f" positive, as a law needs ({int(bad.sum())} of {bad.size} rows); mend"
                " it, leave it out with --where, or map another column with --map"
                f" {column}=COLUMN"
            )
    return columns
