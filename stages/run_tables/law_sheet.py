"""A law as data and as text: what `assay laws` shows. Light on purpose, so that the command starts
at once: no polars, no scipy.
"""

import textwrap
from typing import Any

from stages.laws.interface.law import Law

TEXT_WIDTH = 96


def describe_law(law: Law) -> dict[str, Any]:
    """A law as data: formula, variables with units, parameters with bounds, source. relative:
    bounds are multiples of the median value.
    """
    return {
        "name": law.name,
        "title": law.title,
        "formula": law.formula,
        "source": law.source,
        "variables": [
            {"name": v.name, "unit": v.unit, "meaning": v.meaning}
            for v in law.variables
        ],
        "parameters": [
            {
                "name": p.name,
                "unit": p.unit,
                "low": p.low,
                "high": p.high,
                "relative": p.relative,
                "meaning": p.meaning,
            }
            for p in law.parameters
        ],
        "arm_parameters": list(law.arm_parameters),
        "reduces_to": law.reduces_to.law if law.reduces_to else None,
    }


def law_entry(law: dict[str, Any]) -> str:
    """Three or four lines of the list: name and title, formula, the columns that it reads."""
    title = textwrap.wrap(
        f"{law['name']}: {law['title']}", TEXT_WIDTH, subsequent_indent="  "
    )
    lines = [
        *title,
        *wrapped(law["formula"]),
        *wrapped(f"reads {', '.join(v['name'] for v in law['variables'])}"),
    ]
    return "\n".join(lines)


def wrapped(text: str) -> list[str]:
    """Lines of at most TEXT_WIDTH columns, indented by four."""
    return textwrap.wrap(
        text,
        TEXT_WIDTH,
        initial_indent="    ",
        subsequent_indent="        ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def shown_parameters(law: dict[str, Any]) -> list[dict[str, Any]]:
    """The parameters as a table; bounds that follow the table of runs say so."""

    def bound(p: dict[str, Any], side: str) -> str:
        return f"{p[side]:g}" + (" x value" if p["relative"] and p[side] else "")

    return [
        {
            "name": p["name"],
            "unit": p["unit"],
            "low": bound(p, "low"),
            "high": bound(p, "high"),
            "meaning": p["meaning"],
        }
        for p in law["parameters"]
    ]
