"""What the curve of a table says that no falling law knows: it turns, it rises, its power law begins late.

A curve is the value over compute at one size, or of a ladder in which every budget has a size of its own.
"""

import numpy as np

from stages.laws.deciding.kink import Kink, budget_means, kink
from stages.laws.interface import table

MIN_BUDGETS = 5  # assumed: fewer points make a turn by chance
TWICE = (
    2.0  # ours: a monotone curve that leaves twice the squares of a parabola is none
)
NOISES = 3.0  # ours: a rise of three deviations from the parabola is no noise
FLAT = 20.0  # ours: a slope under a twentieth of the later one is none
RISING = (
    0.7  # assumed: a rank correlation of value with compute that no falling value has
)


def turn(flops: np.ndarray, values: np.ndarray) -> float | None:
    """Compute at which a curve stops falling and rises, in FLOPs; None where a falling curve tells it as well.

    flops, values: (runs,); runs of one budget are averaged. A parabola in log value over log compute must have its
    lowest point inside the runs, leave less than half of the squares of the best falling curve, and the last budget
    must lie above the lowest by more than noise.
    """
    from scipy.optimize import isotonic_regression  # here: it is slow to import

    budgets, group = np.unique(flops, return_inverse=True)
    if budgets.size < MIN_BUDGETS:
        return None
    x = np.log(budgets)
    y = np.bincount(group, np.log(values)) / np.bincount(group)
    bend, slope, level = np.polyfit(x - x.mean(), y, 2)
    if bend <= 0:
        return None
    lowest = x.mean() - slope / (2 * bend)
    if not x[0] < lowest < x[-1]:
        return None
    squares = np.sum((np.polyval([bend, slope, level], x - x.mean()) - y) ** 2)
    falling = isotonic_regression(y, increasing=False).x
    noise = np.sqrt(squares / max(budgets.size - 3, 1))
    rises = y[-1] - y.min() > NOISES * noise
    worse = np.sum((falling - y) ** 2) > TWICE * squares
    return float(np.exp(lowest)) if rises and worse else None


def turning_notes(rows: table.Rows) -> list[dict[str, str]]:
    """A coded warning where the values of a table turn; none where repeats may be the reason."""
    if not {"flops", "n_params"} & set(rows):
        return []
    own = np.ones(np.size(rows["value"]), bool)
    at = turn_of(rows, own, None)
    if at is None:
        return _rising_notes(rows) or _onset_notes(rows, own)
    return [
        table.note(
            "not_monotone",
            "warning",
            f"the value falls up to {at:.2g} FLOPs and rises beyond: laws fall for ever, so"
            " nothing above that is to be believed; look for the cause, or fit below it",
        )
    ]


def _rising_notes(rows: table.Rows) -> list[dict[str, str]]:
    """A coded warning where the value grows with compute: a score, or a loss that is not one of these laws."""
    flops, values = table.run_flops(rows), np.asarray(rows["value"], float)
    if np.unique(flops).size < MIN_BUDGETS or repeats(rows, np.ones(values.size, bool)):
        return []
    by_flops, by_value = (np.argsort(np.argsort(part)) for part in (flops, values))
    if np.corrcoef(by_flops, by_value)[0, 1] < RISING:
        return []
    return [
        table.note(
            "rises",
            "warning",
            "the value grows with compute, and most laws here only fall: map a loss or an"
            " error (1 - score), or name a law for scores such as log_linear",
        )
    ]


def _onset_notes(rows: table.Rows, own: np.ndarray) -> list[dict[str, str]]:
    """A coded warning where the power law begins, or ends, among the runs."""
    found = bend_of(rows, own, None)
    if found is None:
        return []
    return [
        table.note(
            "onset",
            "warning",
            f"the value {bend_words(found)}: laws know no such bend, and what is said above"
            " the runs rests on those beyond it; fit from there on (--where), with more"
            " budgets",
        )
    ]


def turn_of(rows, own: np.ndarray, n_params: float | None) -> float | None:
    """Where the runs of the mask turn, in FLOPs, at the size nearest to n_params; None where they repeat their data."""
    if not own.any() or repeats(rows, own):
        return None
    own = at_one_size(rows, own, n_params)
    return turn(table.run_flops(rows)[own], np.asarray(rows["value"], float)[own])


def bend_of(rows, own: np.ndarray, n_params: float | None) -> Kink | None:
    """Where the runs of the mask begin to fall faster, or to rise that no repeat explains; None without such a bend."""
    if not own.any():
        return None
    curve = at_one_size(rows, own, n_params)
    flops, values = table.run_flops(rows), np.asarray(rows["value"], float)
    found = kink(*budget_means(flops[curve], values[curve]))
    if found is None:
        return None
    rises = found.rises_late() and not repeats(rows, own)
    return found if rises or found.falls_late() else None


def at_one_size(rows, own: np.ndarray, n_params: float | None) -> np.ndarray:
    """The runs of the mask at the size nearest to n_params (their median without one), (runs,); all of a ladder in
    which a budget has one size.
    """
    if "n_params" not in rows:
        return own
    sizes, flops = np.asarray(rows["n_params"], float), table.run_flops(rows)
    pairs = {*zip(flops[own].tolist(), sizes[own].tolist(), strict=True)}
    n_budgets, n_sizes = np.unique(flops[own]).size, np.unique(sizes[own]).size
    if len(pairs) == n_budgets == n_sizes:
        return own
    near = np.median(sizes[own]) if n_params is None else n_params
    nearest = sizes[own][np.argmin(np.abs(np.log(sizes[own] / near)))]
    return own & (sizes == nearest)


def bend_words(found: Kink) -> str:
    """What a bend says: where, how, and how few budgets lie beyond."""
    beyond = f"{found.n_beyond} of {found.n} budgets"
    if not found.falls_late():
        return f"rises from {found.flops:.2g} FLOPs on ({beyond})"
    if found.before >= found.after / FLAT:
        return f"begins to fall only at {found.flops:.2g} FLOPs ({beyond} lie beyond)"
    return (
        f"falls {found.after / found.before:.1f} times as steeply from"
        f" {found.flops:.2g} FLOPs on ({beyond} lie beyond)"
    )


def repeats(rows, own: np.ndarray) -> bool:
    """Whether a run of the mask repeats its data, which may be why its value rises."""
    if not {"n_tokens_seen", "n_tokens_unique"} <= set(rows):
        return False
    epochs = np.asarray(rows["n_tokens_seen"], float) / table.unique_tokens(rows)
    return bool(np.any(np.broadcast_to(epochs, own.shape)[own] > 1.0 + 1e-3))
