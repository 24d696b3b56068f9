"""Which arms need no further run: those that are surely not the best, however often one has looked.

Rule, by the union bound (as in action elimination, Even-Dar, Mannor and Mansour 2006): at look k an arm is dropped
where the chance that it beats the leading arm is below

    alpha / ((arms - 1) k (k + 1)).

The sum of 1 / (k (k + 1)) over all k is 1, so the chance that the best arm is ever dropped is at most alpha, for any
number of looks. That chance is a normal tail of the draws' difference to the leader, for some hundred draws resolve
none of such size. Its spread is at least that between the 5 % and 95 % points.
"""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

ALPHA = 0.05  # usual
WIDTH_90 = 3.29  # of a normal, between its 5 % and 95 % points, in standard deviations


def level_at(look: int, n_arms: int, alpha: float = ALPHA) -> float:
    """The chance below which an arm is dropped at a look, counted from 1.

    >>> level_at(1, 3), round(sum(2 * level_at(k, 3) for k in range(1, 10_000)), 3)
    (0.0125, 0.05)
    """
    return alpha / (max(n_arms - 1, 1) * look * (look + 1))


def enough(goal: float, look: int) -> float:
    """The P(best) that counts as `goal` at a look, counted from 1: whoever looks again has a second chance to be wrong.

    As in compare.py, where looking at both arms doubles the chance of a false lead.

    >>> enough(0.9, 1), round(enough(0.9, 2), 3)
    (0.9, 0.95)
    """
    return goal if look == 1 else (1 + goal) / 2


def chance_to_lead(values: np.ndarray, arms: Sequence[str]) -> dict[str, float]:
    """Arm -> chance that it beats the arm of least mean; of that one, 1 less the chance of the nearest.

    values: (draws, arms), lower is better.
    """
    values = np.asarray(values, float)
    leader = int(values.mean(axis=0).argmin())
    found = {}
    for i, arm in enumerate(arms):
        if i != leader:
            found[arm] = _below_zero(values[:, i] - values[:, leader])
    found[arms[leader]] = 1 - max(found.values(), default=0.0)
    return {arm: found[arm] for arm in arms}


def sureness(values: np.ndarray, arms: Sequence[str]) -> float:
    """P(best) of the leading arm, the smaller of two readings of the draws (draws, arms).

    One is the share in which it is best, the other 1 less the normal tails of all others together, which a share of
    some hundred draws does not resolve.
    """
    values = np.asarray(values, float)
    leader = arms[int(values.mean(axis=0).argmin())]
    share = float(np.mean(values.argmin(axis=1) == list(arms).index(leader)))
    others = sum(
        chance for arm, chance in chance_to_lead(values, arms).items() if arm != leader
    )
    return max(0.0, min(share, 1 - others))


def _below_zero(difference: np.ndarray) -> float:
    """Chance that a difference is below 0, by a normal as wide as the wider of two readings of the draws."""
    low, high = np.quantile(difference, [0.05, 0.95])
    spread = max(float(difference.std()), float(high - low) / WIDTH_90)
    mean = float(difference.mean())
    if spread == 0:
        return float(mean < 0)
    return NormalDist().cdf(-mean / spread)


def hopeless(
    values: np.ndarray, arms: Sequence[str], look: int, alpha: float = ALPHA
) -> dict[str, float]:
    """Arms that are dropped at this look, counted from 1 -> their chance to beat the leader.

    >>> rng = np.random.default_rng(0)
    >>> far = rng.normal([1.0, 1.02, 2.0], 0.05, (200, 3))
    >>> list(hopeless(far, ["a", "b", "c"], look=1))
    ['c']
    """
    limit = level_at(look, len(arms), alpha)
    return {
        arm: chance
        for arm, chance in chance_to_lead(values, arms).items()
        if chance < limit
    }
