"""Rows of --predict that ask for mixtures outside of those trained: the distance in the row, and a coded warning."""

from typing import Any

import polars as pl

from stages.laws.deciding.hull import SHARE, beyond_mixtures, mixture_notes
from stages.laws.interface.table import Rows
from stages.run_columns.positive import positive_numbers


def with_mixtures(
    predicted: list[dict[str, Any]], runs: pl.DataFrame, name: str
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """The rows with `mixture_beyond`, the part of the mixture to be moved (0 to 1), and what to know.

    runs: the table that was fitted; name: what messages call it. Without shares in both, the rows as they are.
    """
    asked = pl.DataFrame(predicted)
    beyond = beyond_mixtures(_shares(asked, "--predict"), _shares(runs, name))
    if beyond is None:
        return predicted, []
    rows = [
        row | {"mixture_beyond": float(part)}
        for row, part in zip(predicted, beyond, strict=True)
    ]
    return rows, mixture_notes(beyond, "mixtures of --predict lie")


def _shares(table: pl.DataFrame, name: str) -> Rows:
    return positive_numbers(
        table, [c for c in table.columns if c.startswith(SHARE)], name
    )
