"""Runs that a law does not describe: residuals at one end of the design that are far larger than elsewhere.

The standing example: models trained on 5 or 10 tokens a parameter, which no sum of power laws in size and tokens
fits together with 20 and more. Such runs pull the exponents, and with them every prediction.
"""

import numpy as np

from stages.laws.interface import table

END_SHARE = 0.34  # assumed: an end of the design is at most a third of the runs
MIN_RUNS, MIN_TABLE = 3, 12  # assumed: fewer show no pattern
# assumed: a misfit is 2.5 times the spread elsewhere and above half a percent
RATIO, SMALLEST = (2.5, 0.005)


def misfit_notes(columns: table.Rows, residuals: np.ndarray) -> list[dict[str, str]]:
    """Coded warnings from log residuals (runs,): at most one, for the end of the design where the misfit is worst."""
    if residuals.size < MIN_TABLE:
        return []
    worst = max(
        (
            found
            for name, column in _quantities(columns).items()
            for found in _ends(name, column, np.abs(residuals))
        ),
        default=None,
    )
    if worst is None:
        return []
    ratio, name, side, edge, runs, size, elsewhere = worst
    return [
        table.note(
            "misfit",
            "warning",
            f"{runs} runs with {name} {side} {edge:.3g} miss the law by {size:.1%},"
            f" {ratio:.1f} times the others' {elsewhere:.1%}; leave them out (--where)"
            " or take another law",
        )
    ]


def _quantities(columns):
    """What the runs differ by: each variable, tokens per parameter and epochs."""
    held = {
        name: column
        for name, column in columns.items()
        if not name.startswith(("share_", "unique_"))
    }
    if {"n_params", "n_tokens_seen"} <= set(columns):
        held["n_tokens_seen / n_params"] = (
            columns["n_tokens_seen"] / columns["n_params"]
        )
    if {"n_tokens_unique", "n_tokens_seen"} <= set(columns):
        held["n_tokens_seen / n_tokens_unique"] = (
            columns["n_tokens_seen"] / columns["n_tokens_unique"]
        )
    return held


def _ends(name, column, size):
    """(ratio, quantity, side, edge, runs, misfit there, misfit elsewhere) of every end that stands out."""
    # 0 is a value of some variables: the lowest end
    log_column = np.log(np.maximum(column, 1e-300))
    levels = np.unique(np.round(log_column, 2))
    for side, order in (("up to", levels), ("from", levels[::-1])):
        for level in order[:-1]:
            mask = (
                log_column <= level + 0.006
                if side == "up to"
                else log_column >= level - 0.006
            )
            if mask.mean() > END_SHARE:
                break
            there, elsewhere = (
                float(np.median(size[mask])),
                float(np.median(size[~mask])),
            )
            if (
                mask.sum() >= MIN_RUNS
                and there > SMALLEST
                and there > RATIO * elsewhere
            ):
                edge = float(
                    column[mask].max() if side == "up to" else column[mask].min()
                )
                yield (
                    there / max(elsewhere, 1e-12),
                    name,
                    side,
                    edge,
                    int(mask.sum()),
                    there,
                    elsewhere,
                )
