"""Which laws a table of runs can tell apart: the candidates that no name was given for."""

import numpy as np

from stages.foundation.errors import InputError
from stages.laws import Law, Table, automatic_laws
from stages.laws.interface import table

REPEATED = 1.05  # ours: passes over the data from which a run repeats it


def table_kind(rows: table.Rows) -> Table:
    """What the runs can tell apart: size and tokens, repeats too, compute alone, or tokens."""
    if "n_tokens_seen" in rows and not {"n_params", "flops"} & set(rows):
        return "tokens alone"
    if not {"n_params", "n_tokens_seen"} <= set(rows):
        return "compute alone"
    if np.unique(rows["n_params"]).size == 1:
        return "compute alone"
    return "repeats" if runs_repeat(rows) else "sizes and tokens"


def runs_repeat(rows: table.Rows) -> bool:
    """Whether a run passes more than once over its data; False where the rows do not tell."""
    if not {"n_tokens_seen", "n_tokens_unique"} <= set(rows):
        return False
    seen = np.asarray(rows["n_tokens_seen"], float)
    return bool(np.any(seen > REPEATED * table.unique_tokens(rows)))


def table_kinds(rows: table.Rows) -> list[Table]:
    """The kind of the table and, where one size or none repeats its data, that of repeats too.

    Without a size, FLOPs would not say how many tokens they pay for, so laws over tokens are left out.

    >>> one = {"n_tokens_seen": np.array([1e8, 4e8]), "n_tokens_unique": np.array([1e8, 1e8])}
    >>> table_kinds(one), table_kinds(one | {"flops": np.array([6e17, 2.4e18])})
    (['tokens alone', 'repeats of one size'], ['compute alone'])
    """
    kind = table_kind(rows)
    if kind == "tokens alone" or (kind == "compute alone" and "n_params" in rows):
        return [kind, "repeats of one size"] if runs_repeat(rows) else [kind]
    return [kind]


def eligible_laws(rows: table.Rows) -> list[Law]:
    """Every law that names such a table as one to be tried on and whose variables the rows have."""
    found = [
        law
        for kind in table_kinds(rows)
        for law in automatic_laws(kind)
        if set(law.variable_names) <= set(rows)
    ]
    if not found:
        raise InputError(
            "the table has the variables of no law; it needs n_params and"
            " n_tokens_seen, or flops, or n_tokens_seen alone for budgets in tokens or"
            " examples (use --map)"
        )
    return found
