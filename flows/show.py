"""One way to print: a table of at most 100 columns for a person, or the same rows as JSON."""

import json
import math
from typing import Any

from rich.console import Console
from rich.table import Table

WIDTH = 100


def show(rows: list[dict[str, Any]], as_json: bool, *, title: str = "") -> None:
    """Print rows (same keys each) as a table, or as a JSON list."""
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    table = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for key in rows[0] if rows else []:
        numeric = all(isinstance(row[key], int | float) for row in rows)
        table.add_column(key, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(text(value) for value in row.values()))
    Console(width=WIDTH, highlight=False).print(table)


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
