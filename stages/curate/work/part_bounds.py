"""Where the parts of the output begin; decided by the input's characters alone."""

import numpy as np

from stages.curate.work.numbering import Units
from stages.curate.work.sorted_runs import mapped
from stages.curate.work.staged import CHARS


def part_bounds(units: Units, part_chars: int) -> list[int]:
    """The first ordinal of each part, and the number of documents at the end."""
    bounds, total, last = [0], 0, 0
    for unit in range(units.n_new):
        chars = _chars(units, unit)
        part = (total + np.cumsum(chars) - chars) // part_chars
        new = np.flatnonzero(np.diff(part, prepend=last))
        bounds += (units.starts[unit] + new).tolist()
        total, last = total + int(chars.sum()), int(part[-1]) if len(part) else last
    return [*bounds, units.n_documents]


def n_chars(units: Units) -> int:
    """Characters of all documents of the input."""
    return sum(int(_chars(units, unit).sum()) for unit in range(units.n_new))


def _chars(units: Units, unit: int) -> np.ndarray:
    """Characters of each document of a unit (n,)."""
    return np.array(mapped(units.folders[unit] / "chars.bin", CHARS)).astype(np.int64)
