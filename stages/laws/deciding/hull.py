"""How far a mixture lies outside of the mixtures that were trained.

The mixtures between trained ones are their weighted means, the convex hull. Outside of it a law or a
surface says what no run bears out. The distance is the part of a mixture that would have to move to
another domain to reach the nearest mixture inside: half the sum of absolute differences of shares.
"""

import numpy as np

from stages.laws.interface import table

SHARE = "share_"
ROUNDED = 0.01  # assumed: shares are printed in two decimals


def share_to_move(asked: np.ndarray, trained: np.ndarray) -> np.ndarray:
    """Part of each mixture to be moved to reach the hull of the trained ones, 0 inside, (points,).

    asked: (points, domains); trained: (runs, domains). Exact, one linear program a point: 5 ms for 512 runs
    of 17 domains (measured).

    >>> trained = np.array([[0.2, 0.8], [0.6, 0.4]])
    >>> share_to_move(np.array([[0.5, 0.5], [0.9, 0.1]]), trained).round(6).tolist()
    [0.0, 0.3]
    """
    known = np.unique(np.asarray(trained, float).round(9), axis=0)
    return np.array([_to_move(mixture, known) for mixture in np.atleast_2d(asked)])


def _to_move(mixture: np.ndarray, known: np.ndarray) -> float:
    """Least half absolute difference between a mixture (domains,) and a weighted mean of known ones."""
    from scipy.optimize import linprog  # here: it is slow to import

    n_runs, n_domains = known.shape
    cost = np.concatenate([np.zeros(n_runs), np.full(2 * n_domains, 0.5)])
    mean = np.hstack([known.T, np.eye(n_domains), -np.eye(n_domains)])
    whole = np.concatenate([np.ones(n_runs), np.zeros(2 * n_domains)])
    found = linprog(
        cost,
        A_eq=np.vstack([mean, whole]),
        b_eq=np.append(mixture, 1.0),
        method="highs",
    )
    return max(0.0, float(found.fun))


def beyond_mixtures(asked: table.Rows, trained: table.Rows) -> np.ndarray | None:
    """`share_to_move` of each row of `asked`, the larger of quality tiers and pools, (rows,).

    A domain that no run has counts as trained on 0 of it. None where either lacks the shares.
    """
    found = [
        share_to_move(_matrix(asked, group), _matrix(trained, group))
        for group in _groups({*asked, *trained})
        if _known(group, trained) and _known(group, trained) <= set(asked)
    ]
    return np.max(found, axis=0) if found else None


def _groups(names: set[str]) -> list[list[str]]:
    """Columns of shares that make up one whole each: the quality tiers, and the others."""
    shares = sorted(name for name in names if name.startswith(SHARE))
    tiers = [name for name in shares if table.TIER.match(name.removeprefix(SHARE))]
    return [tiers, [name for name in shares if name not in tiers]]


def _known(group: list[str], rows: table.Rows) -> set[str]:
    return set(group) & set(rows)


def _matrix(rows: table.Rows, names: list[str]) -> np.ndarray:
    """Columns side by side, 0 for one that is missing, (rows, names)."""
    columns = [np.atleast_1d(np.asarray(rows.get(name, 0.0), float)) for name in names]
    return np.stack(np.broadcast_arrays(*columns), axis=1)


def mixture_notes(beyond: np.ndarray, asked: str) -> list[dict[str, str]]:
    """A coded warning where mixtures lie outside of those trained. beyond: (points,); asked: what they are."""
    outside = beyond > ROUNDED
    if not outside.any():
        return []
    count = f"{outside.sum()} of {beyond.size} " if beyond.size > 1 else ""
    worst = f" (row {int(beyond.argmax()) + 1})" if beyond.size > 1 else ""
    return [
        table.note(
            "mixture_beyond",
            "warning",
            f"{count}{asked} outside of the mixtures trained: at most"
            f" {beyond.max():.1%} of the mixture{worst} would have to move to reach one that"
            " lies between runs; train mixtures on that side",
        )
    ]
