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
    seen = np.asarray(rows["n_tokens_seen"], float)
    unique = table.unique_tokens(rows) if "n_tokens_unique" in rows else seen
    return "repeats" if np.any(seen > REPEATED * unique) else "sizes and tokens"


def eligible_laws(rows: table.Rows) -> list[Law]:
    """Every law that names such a table as one to be tried on and whose variables the rows have."""
    found = [
        law
        for law in automatic_laws(table_kind(rows))
        if set(law.variable_names) <= set(rows)
    ]
    if not found:
        raise InputError(
            "the table has the variables of no law; it needs n_params and"
            " n_tokens_seen, or flops, or n_tokens_seen alone for budgets in tokens or"
            " examples (use --map)"
        )
    return found
