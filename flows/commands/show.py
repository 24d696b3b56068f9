"""One way to print: a table of at most 100 columns for a person, or the same rows as JSON."""

import json
import math
import textwrap
from typing import Any

from rich.console import Console
from rich.table import Table

WIDTH = 100


def show(rows: list[dict[str, Any]], as_json: bool, *, title: str = "") -> None:
    """Print rows (same keys each) as a table, or as a JSON list."""
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    if title:
        print(title)
    table = Table(header_style="bold", box=None, pad_edge=False)
    for key in rows[0] if rows else []:
        numeric = all(isinstance(row[key], int | float) for row in rows)
        table.add_column(key, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(text(value) for value in row.values()))
    Console(width=WIDTH, highlight=False, markup=False).print(table)


def paragraph(words: str) -> str:
    """Text folded to the width of the tables, later lines indented."""
    return (
        "\n".join(
            textwrap.wrap(
                words,
                WIDTH,
                subsequent_indent="  ",
                break_long_words=False,
                break_on_hyphens=False,
            )
        )
        or words
    )


def text(value: Any) -> str:
    """Four significant digits, thousands as powers of ten, lists joined."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.4g}"
    if isinstance(value, int) and abs(value) >= 1_000_000:
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(text(item) for item in value)
    return str(value)
