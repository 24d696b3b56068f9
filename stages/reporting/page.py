"""The page as one HTML file: its template, style and script, and numbers for a person."""

import base64
import hashlib
from typing import Any

from stages.foundation.stage import ROOT

TEMPLATE = "stages/reporting/page.html.j2"
STYLE, SCRIPT = "stages/reporting/page.css", "stages/reporting/page.js"
SEARCHED_TEMPLATE = "stages/searched/section.html.j2"


def render(**values: Any) -> str:
    """The page."""
    # the list of stages imports this file, so every stage would wait for these: matplotlib takes .9 s
    from jinja2 import Environment, FileSystemLoader

    from stages.presentation.plot_style import COLOURS

    environment = Environment(
        loader=FileSystemLoader([ROOT / "stages/reporting", ROOT / "stages/searched"]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    script = (ROOT / SCRIPT).read_text("utf-8")
    return environment.get_template("page.html.j2").render(
        **values, script=script, script_hash=csp_hash(script), colours=COLOURS
    )


def csp_hash(script: str) -> str:
    """How a Content-Security-Policy names the one script that may run.

    >>> csp_hash("")
    'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
    """
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def number(value: Any) -> str:
    """Four significant digits for a person; large numbers as powers of ten or with separators."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3e}" if abs(value) >= 1e6 else f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    return "–" if value is None else str(value)
