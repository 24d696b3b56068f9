"""The runs of the largest compute, for one check of a law on runs that it was not fitted to."""

import numpy as np

from stages.foundation.errors import InputError

RUNG_DECADES = 0.1  # assumed: budgets within 26 % of each other are one rung
# assumed: fewer runs say nothing, more leave nothing to fit
MIN_HELD_OUT, MAX_HELD_OUT_SHARE = (3, 0.4)


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
