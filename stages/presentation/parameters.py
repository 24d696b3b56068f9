"""Parameters of a fit as flat rows of a table."""

from typing import Any


def parameter_rows(params: dict[str, Any]) -> list[dict[str, Any]]:
    """Parameters of a fit record, or of each arm, as flat rows."""
    rows = []
    for name, entry in params.items():
        for arm, value in entry.items() if "value" not in entry else [(None, entry)]:
            rows.append(
                {"parameter": name if arm is None else f"{name} [{arm}]", **value}
            )
    return rows
