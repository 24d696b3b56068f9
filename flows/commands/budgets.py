"""Budgets as a person writes them: FLOPs, or hours of one accelerator with the FLOPs a second that it sustains."""

import re

from stages.foundation.errors import InputError

HOURS = re.compile(r"(?P<hours>[0-9.eE+-]+)h")
SECONDS_AN_HOUR = 3600.0
LARGEST = 1e60  # of a budget or a count; as in tables of runs (stages/runs/table.py)


def in_hours(text: str) -> bool:
    """Whether a budget is written in accelerator-hours."""
    return HOURS.fullmatch(text.strip()) is not None


def budget(text: str, flops_per_s: float | None = None) -> float:
    """FLOPs of a budget. flops_per_s: what one accelerator sustains, needed for hours. Raises InputError.

    >>> budget("1e21"), budget("40h", flops_per_s=4e14)
    (1e+21, 5.76e+19)
    """
    found = HOURS.fullmatch(text.strip())
    if found and flops_per_s is None:
        raise InputError(
            f"{text}: hours of an accelerator are a budget with --flops-per-s, the FLOPs"
            " a second that it sustains, for example --flops-per-s 4e14"
        )
    try:
        amount = float(found["hours"] if found else text)
    except ValueError:
        raise InputError(
            f"{text[:40]!r} is no budget; give FLOPs as 1e21, or accelerator-hours as 40h"
        ) from None
    flops = amount * (SECONDS_AN_HOUR * (flops_per_s or 0) if found else 1)
    if not 0 <= flops <= LARGEST:
        raise InputError(f"{text[:40]} is no amount; give 0 to {LARGEST:g} FLOPs")
    return flops
