"""Which run to make next: the one that is expected to lower most, per FLOP, how often the best arm is misnamed.

Preposterior analysis (Raiffa and Schlaifer 1961) over the draws that a decision is made from. Every draw in turn is
the truth; what a candidate run would measure under it, the noise of a run included, weighs all other draws by how
likely they make that outcome, and the weighted draws say how sure the decision would be. Cost: draws^2 a candidate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from stages.foundation.errors import InputError

# what is lowered: the chance that the arm named best is not (wrong), that two readings of the draws name different
# arms (doubt, the Gini index), or the mean excess of the arm named best over the best (regret)
Measure = Literal["wrong", "doubt", "regret"]
# ours: `wrong` and `regret` see no worth in a run that cannot change the answer alone
MEASURE: Measure = "doubt"
# ours: with some hundred draws a run counts as no sharper than a fifth of what the draws are apart, or a single
# draw would stand for all that agree with it
SHARPEST = 0.2
# ours: a run is worth its lower price from so much of the largest fall on; without it the cheapest run there is comes
# first for a fall that is chance (of the demo's decision, .0003)
WORTH = 0.25
LEAST_FALL = 1e-3  # ours: below it the fall is that of chance among some hundred draws


@dataclass(frozen=True)
class Advice:
    """A candidate by its place in the list, its cost, and the measure now and as expected after it."""

    candidate: int
    flops: float
    before: float
    after: float

    @property
    def fall(self) -> float:
        """By how much the measure is expected to fall; never below 0."""
        return max(self.before - self.after, 0.0)

    @property
    def per_flop(self) -> float:
        return self.fall / self.flops


@dataclass(frozen=True)
class Outlook:
    """What is asked, and what runs already chosen would say of it.

    values: (draws, arms) at the target, lower is better. log_weights: (draws, draws), of each draw (column) where
    that of the row is the truth.
    """

    values: np.ndarray
    log_weights: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> "Outlook":
        """Before any run. Raises InputError where there is nothing to choose."""
        values = np.asarray(values, float)
        if values.ndim != 2 or values.shape[1] < 2 or values.shape[0] < 2:
            raise InputError(
                f"values must be (draws, arms) with two of each or more, got {values.shape}"
            )
        weights = np.zeros((values.shape[0],) * 2)
        np.fill_diagonal(weights, -np.inf)  # a draw is no evidence for itself
        return cls(values, weights)

    def after(self, predicted: np.ndarray, noise: float, seed: int) -> "Outlook":
        """The same once a run is made. predicted: its log value in each draw, (draws,); noise: sd of a run's."""
        return Outlook(
            self.values, self.log_weights + likelihoods(predicted, noise, seed)
        )

    def weights(self) -> np.ndarray:
        """Of each draw (column) by truth (row), rows sum to 1."""
        top = self.log_weights.max(axis=1, keepdims=True)
        weights = np.exp(self.log_weights - top)
        return weights / weights.sum(axis=1, keepdims=True)

    def expected(self, measure: Measure = MEASURE) -> float:
        """The measure, mean over the truths."""
        lost = self.values - self.values.min(axis=1, keepdims=True)
        if measure == "regret":
            return float((self.weights() @ lost).min(axis=1).mean())
        p_best = self.weights() @ _is_best(self.values)
        if measure == "wrong":
            return float(1 - p_best.max(axis=1).mean())
        return float(1 - (p_best**2).sum(axis=1).mean())


def _is_best(values: np.ndarray) -> np.ndarray:
    """1 for the best arm of each draw, (draws, arms)."""
    return np.eye(values.shape[1])[values.argmin(axis=1)]


def chances(values: np.ndarray) -> np.ndarray:
    """P(best) of each arm: the share of the draws (draws, arms) in which it has the least value, (arms,).

    >>> chances(np.array([[1.0, 2.0], [1.0, 2.0], [3.0, 2.0], [1.0, 2.0]]))
    array([0.75, 0.25])
    """
    return _is_best(np.asarray(values, float)).mean(axis=0)


def likelihoods(predicted: np.ndarray, noise: float, seed: int = 0) -> np.ndarray:
    """Log likelihood of each draw (column) for what a run measures where that of the row is the truth.

    The outcomes of two candidates share their noise, so that chance does not decide between them.
    """
    predicted = np.asarray(predicted, float)
    z = np.random.default_rng(seed).standard_normal(predicted.size)
    low, high = np.quantile(predicted, [0.16, 0.84])
    sharp = max(noise, SHARPEST * (high - low) / 2, 1e-12)
    measured = predicted + sharp * z
    return -0.5 * ((measured[:, None] - predicted[None]) / sharp) ** 2


def ranked(
    outlook: Outlook,
    predicted: np.ndarray,
    *,
    flops: Sequence[float],
    noise: float,
    measure: Measure = MEASURE,
    seed: int = 0,
) -> list[Advice]:
    """Candidates, the largest expected fall per FLOP first, those below WORTH of the largest fall last.

    predicted: log value of each candidate run in each draw, (draws, candidates); flops: (candidates,), their cost.

    >>> rng = np.random.default_rng(0)
    >>> lead = rng.standard_normal(200)                # of the first arm over the second, in log value
    >>> outlook = Outlook.of(np.stack([lead, np.zeros(200)], axis=1))
    >>> tells = np.stack([lead, rng.standard_normal(200)], axis=1)
    >>> best, other = ranked(outlook, tells, flops=[1.0, 1.0], noise=0.1)
    >>> best.candidate, bool(best.fall > 10 * other.fall)
    (0, True)
    """
    predicted = np.asarray(predicted, float)
    draws = outlook.values.shape[0]
    if predicted.shape != (draws, len(flops)):
        raise InputError(
            f"predicted must be (draws, candidates), ({draws}, {len(flops)}), got"
            f" {predicted.shape}"
        )
    before = outlook.expected(measure)
    found = [
        Advice(
            candidate=i,
            flops=float(cost),
            before=before,
            after=outlook.after(predicted[:, i], noise, seed).expected(measure),
        )
        for i, cost in enumerate(flops)
    ]
    least = WORTH * max(advice.fall for advice in found)
    return sorted(found, key=lambda advice: (advice.fall < least, -advice.per_flop))
