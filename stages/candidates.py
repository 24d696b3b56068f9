"""Which laws a table can be given to, and the rows that they read: what `--law auto` and `assay fit auto` start from."""

import numpy as np
import polars as pl

from stages.errors import InputError
from stages.laws import LAWS, Law, get_law
from stages.runs import numbers

AUTO = ("power_floor", "chinchilla", "coupled", "data_constrained", "overfit")
N_CUTS = 2  # measured: two cuts by compute and two by size choose as well as three of each
N_STARTS, N_DRAWS = 64, 50  # ours: enough to rank (the draws only give each candidate's coverage); the winner is refitted


def numeric_rows(table: pl.DataFrame, name: str, *, observed: bool = True) -> dict[str, np.ndarray]:
    """The numeric columns that any law reads, and flops where sizes and tokens give it, as arrays (rows,)."""
    known = {variable for law in LAWS.values() for variable in law.variable_names}
    wanted = [c for c in table.columns if c in known or c.startswith(("share_", "unique_"))]
    rows = numbers(table, [*wanted, *(["value"] if observed else [])], name)
    if "flops" not in rows and {"n_params", "n_tokens_seen"} <= set(rows):
        rows["flops"] = 6 * rows["n_params"] * rows["n_tokens_seen"]
    return rows


def candidates(law: str, rows: dict[str, np.ndarray]) -> list[Law]:
    """The named law, or for `auto` every law of AUTO whose variables the table has."""
    if law != "auto":
        return [get_law(law)]
    possible = [LAWS[name] for name in AUTO if set(LAWS[name].variable_names) <= set(rows)]
    if not possible:
        raise InputError("the table has the variables of no law; it needs n_params and n_tokens_seen, or flops (use --map)")
    return possible
