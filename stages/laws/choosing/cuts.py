"""Which runs to hold out so that a law is judged on what it says of larger ones: the top of the
compute, the top of the sizes.
"""

import numpy as np

from stages.foundation.errors import InputError
from stages.laws.interface import table
from stages.laws.interface.table import run_flops

RUNG_DECADES = 0.1  # assumed: budgets within 26 % of each other are one rung
# assumed: fewer runs say nothing, more leave nothing to fit
MIN_HELD_OUT, MAX_HELD_OUT_SHARE = (3, 0.4)
MAX_CUT_SHARE = 0.3  # measured: at .4 a cut reaches further than tables are used for and one bad cut decides
MIN_SIZES_LEFT = 3  # assumed: an exponent and a floor need three values


def largest_rungs(flops: np.ndarray, n_rungs: int = 1) -> np.ndarray:
    """True for the runs of the largest n_rungs compute budgets, (runs,); more rungs are taken until
    there are three runs.
    """
    rung = np.round(np.log10(flops) / RUNG_DECADES).astype(int)
    levels = np.unique(rung)[::-1]
    for count in range(n_rungs, levels.size):
        held = rung >= levels[count - 1]
        if held.sum() >= MIN_HELD_OUT:
            break
    else:
        raise InputError(
            f"{levels.size} distinct compute budgets cannot be split into runs to fit"
            " and runs to predict; add smaller runs"
        )
    if held.mean() > MAX_HELD_OUT_SHARE:
        raise InputError(
            f"the largest {count} compute budgets hold {held.sum()} of {held.size}"
            " runs, too many to set aside; add smaller runs"
        )
    return held


def cuts(rows: table.Rows, n_cuts: int) -> list[np.ndarray]:
    """Runs to hold out, one mask a cut: the largest compute budgets, and the largest models where
    there are four sizes or more, each n_cuts times, from the fewest runs that say anything to a
    share of MAX_CUT_SHARE.
    """
    flops = run_flops(rows)
    found = [largest_rungs(flops)]
    if "n_params" in rows and np.unique(rows["n_params"]).size > MIN_SIZES_LEFT:
        found += _above(np.asarray(rows["n_params"], float), n_cuts, MIN_SIZES_LEFT)
    return found + [
        held
        for held in _above(flops, n_cuts, MIN_SIZES_LEFT)[1:]
        if held.sum() > found[0].sum()
    ]


def _above(column: np.ndarray, n_cuts: int, n_left: int) -> list[np.ndarray]:
    """Masks of the runs above a value of the column, at most MAX_CUT_SHARE of them and n_left distinct values below."""
    masks = [column > low for low in np.unique(column)[n_left - 1 : -1]]
    usable = [
        m for m in masks if m.sum() >= MIN_HELD_OUT and m.mean() <= MAX_CUT_SHARE
    ][::-1]
    if not usable:
        return []
    picked = np.unique(np.linspace(0, len(usable) - 1, n_cuts).round().astype(int))
    return [usable[i] for i in picked]
