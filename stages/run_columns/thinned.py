"""Very large tables of runs: rows evenly spaced along compute stand for all, with a coded warning.

A law has under thirty parameters; ten thousand runs know them to a hundredth of their spread, and the time of a fit
grows with its rows. The choice does not look at values, so it shifts no estimate; it widens intervals.
"""

import numpy as np
import polars as pl

from stages.laws.interface.table import note
from stages.runs.table import as_words

MOST_ROWS = (
    10_000  # 13 s for chinchilla on a million runs, on a busy machine (measured)
)


def thinned(
    table: pl.DataFrame, name: str, arm: str | None = None
) -> tuple[pl.DataFrame, list[dict[str, str]]]:
    """(at most MOST_ROWS rows in their order, the warning if some were left out).

    Rows are spaced along compute, or tokens, or sizes, within each arm; the least and the largest of all stay.

    >>> rows, [warning] = thinned(pl.DataFrame({"flops": range(20_000)}), "runs.csv")
    >>> rows["flops"].to_list()[:3], rows["flops"][-1], warning["code"]
    ([0, 2, 4], 19999, 'thinned')
    """
    if table.height <= MOST_ROWS:
        return table, []
    order = np.lexsort((_size(table), _arms(table, arm, name)))
    places = np.rint(np.linspace(0, table.height - 1, MOST_ROWS)).astype(np.int64)
    kept = table[np.sort(order[places])]
    said = (
        f"{table.height:,} rows: {MOST_ROWS:,} of them, evenly spaced along compute, are"
        " used; intervals are wider for it; choose others with --where"
    )
    return kept, [note("thinned", "warning", said)]


def _size(table: pl.DataFrame) -> np.ndarray:
    """What a run cost, as far as an order needs it, (rows,)."""
    known = [c for c in ("flops", "n_tokens_seen", "n_params") if c in table.columns]
    columns = [
        table[c].cast(pl.Float64, strict=False).fill_null(0).to_numpy()
        for c in (known[:1] if known[:1] == ["flops"] else known)
        if table[c].dtype.is_numeric()
    ]
    if not columns:
        return np.zeros(table.height)
    return np.sum([np.log(np.maximum(column, 1e-300)) for column in columns], axis=0)


def _arms(table: pl.DataFrame, arm: str | None, name: str) -> np.ndarray:
    if arm is None or arm not in table.columns:
        return np.zeros(table.height)
    words = as_words(table[arm], name).fill_null("")
    return words.rank("dense").to_numpy()
