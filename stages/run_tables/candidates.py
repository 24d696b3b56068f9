"""Which laws a table can be given to, and the rows that they read: what `--law auto` and `assay fit
auto` start from.
"""

import numpy as np
import polars as pl

from stages.foundation.errors import InputError
from stages.laws import LAWS, Law, get_law
from stages.laws.choosing.eligible import eligible_laws
from stages.laws.interface.table import note
from stages.runs.table import numbers

N_STARTS = 32  # measured: 64 and more reach the same ends on the published tables


def numeric_rows(
    table: pl.DataFrame, name: str, *, observed: bool = True
) -> dict[str, np.ndarray]:
    """The numeric columns that any law reads, and flops where sizes and tokens give it, as arrays (rows,)."""
    known = {variable for law in LAWS.values() for variable in law.variable_names}
    wanted = [
        c for c in table.columns if c in known or c.startswith(("share_", "unique_"))
    ]
    rows = positive_numbers(table, [*wanted, *(["value"] if observed else [])], name)
    if "flops" not in rows and {"n_params", "n_tokens_seen"} <= set(rows):
        rows["flops"] = 6 * rows["n_params"] * rows["n_tokens_seen"]
    return rows


def candidates(law: str, rows: dict[str, np.ndarray]) -> list[Law]:
    """The named law, or for `auto` every law that names such a table as one to be tried on and
    whose variables the table has.
    """
    if law != "auto":
        missing = [name for name in get_law(law).variable_names if name not in rows]
        if missing:
            raise InputError(
                f"law '{law}' reads {missing[0]!r} and the table has no column"
                f" {missing[0]!r}; map one with --map {missing[0]}=COLUMN"
            )
        return [get_law(law)]
    return eligible_laws(rows)


def positive_numbers(
    table: pl.DataFrame, names: list[str], name: str
) -> dict[str, np.ndarray]:
    """The columns as arrays (rows,): finite and above 0, shares at least 0; else InputError naming
    column, row and cure.
    """
    columns = numbers(table, names, name)
    for column, values in columns.items():
        bad = values < 0 if column.startswith("share_") else values <= 0
        if bad.any():
            row = int(bad.argmax())
            raise InputError(
                f"{name}: column {column!r}, row {row + 1}: {values[row]:g} is not"
                f" positive, as a law needs ({int(bad.sum())} of {bad.size} rows); mend"
                " it, leave it out with --where, or map another column with --map"
                f" {column}=COLUMN"
            )
    return columns


def duplicate_notes(rows: dict[str, np.ndarray]) -> list[dict[str, str]]:
    """A coded warning where runs are equal in all that is read of them: copies narrow the intervals."""
    keys, seen, copies = (
        list(zip(*(column.tolist() for column in rows.values()), strict=True)),
        set(),
        [],
    )
    for i, key in enumerate(keys):
        if key in seen:
            copies.append(i + 1)
        seen.add(key)
    if not copies:
        return []
    return [
        note(
            "duplicate_rows",
            "warning",
            f"{len(copies)} rows repeat an earlier one in {', '.join(rows)} (first: row"
            f" {copies[0]}); drop copies, they make the intervals too narrow",
        )
    ]
