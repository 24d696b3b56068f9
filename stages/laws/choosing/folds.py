"""Which runs to hold out so that laws are judged on what they say beyond the runs that they saw.

A fold leaves out the top of one axis: compute, model size, tokens or epochs. Several axes and several
depths, because a law that carries one way need not carry another, and because one cut holds few runs.
"""

from dataclasses import dataclass

import numpy as np

from stages.laws.interface import table

SHARES_HELD = (0.12, 0.3, 0.5)  # ours: a short, a middle and a long step beyond
MIN_LEVELS = 3  # assumed: an exponent and a floor need three values
MIN_SHARE_LEFT = 0.3  # assumed: of fewer runs a fit says nothing about the fit of all
MIN_LEFT = 6  # assumed: fewer runs are fitted exactly by most laws


@dataclass(frozen=True)
class Fold:
    """axis: what it extrapolates over; held: True for the runs to predict, (runs,)."""

    axis: str
    held: np.ndarray


def folds(rows: table.Rows) -> list[Fold]:
    """Extrapolation folds of a table; none where it is too small or all runs are alike.

    rows: flops, or n_params and n_tokens_seen; n_tokens_unique where runs repeat their data.
    """
    found: list[Fold] = []
    for axis, column in axes(rows).items():
        logs = np.log(column)
        for share in SHARES_HELD:
            held = _top(logs, share)
            known = any(np.array_equal(held, other.held) for other in found)
            if not known and _enough_left(logs, held):
                found.append(Fold(axis, held))
    return found


def axes(rows: table.Rows) -> dict[str, np.ndarray]:
    """The quantities that a table can be carried over: name -> (runs,)."""
    found = {"flops": table.run_flops(rows)}
    for name in ("n_params", "n_tokens_seen"):
        if name in rows:
            found[name] = np.asarray(rows[name], float)
    if {"n_tokens_seen", "n_tokens_unique"} <= set(rows):
        found["epochs"] = found["n_tokens_seen"] / table.unique_tokens(rows)
    return found


def _top(logs: np.ndarray, share: float) -> np.ndarray:
    """The runs from the quantile 1 - share on; runs that tie with it are held too."""
    at = min(int((1 - share) * logs.size), logs.size - 1)
    return logs >= np.sort(logs)[at] - 1e-9


def _enough_left(logs: np.ndarray, held: np.ndarray) -> bool:
    left = ~held
    return (
        left.sum() >= max(MIN_LEFT, MIN_SHARE_LEFT * held.size)
        and np.unique(np.round(logs[left], 3)).size >= MIN_LEVELS
    )
