"""What is known before the runs are seen: Gaussian priors on the logs of parameters or of their ratios and products.

A prior enters a fit as squares added to the objective, scaled to the noise of the table, so that it counts like
one more run of that precision and fades as runs come in. In a bootstrap its mean is drawn anew for every refit;
held still, it would pull all draws to one place and the intervals would be too narrow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stages.foundation.errors import InputError
from stages.laws.interface.layout import Layout


@dataclass(frozen=True)
class Prior:
    """sum_j log_weights[j] * log(parameter j) ~ Normal(mean, sd). One parameter: {"alpha": 1}; a
    ratio: {"alpha": 1, "beta": -1}.

    Only parameters fitted in logs and without a `term` (exponents, scales, not E nor an amplitude).

    >>> near = Prior({"alpha": 1, "beta": -1}, 0.0, 0.2, "alpha close to beta")
    >>> near.mean, near.sd
    (0.0, 0.2)
    """

    log_weights: Mapping[str, float]
    mean: float
    sd: float
    source: str


@dataclass(frozen=True)
class Squares:
    """Priors on theta: 0.5 * precision * (direction . theta - mean)^2 each. direction (priors,
    slots), others (priors,).
    """

    direction: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    precision: np.ndarray

    def total(self, theta: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """Sum over priors, theta (members, slots) and mean (members, priors) -> (members,)."""
        return 0.5 * np.sum(
            self.precision * (theta @ self.direction.T - mean) ** 2, axis=-1
        )

    def slope(self, theta: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """Gradient of total, (members, slots)."""
        return (self.precision * (theta @ self.direction.T - mean)) @ self.direction

    def curvature(self) -> np.ndarray:
        """Second derivative of total, (slots, slots)."""
        return (self.direction.T * self.precision) @ self.direction

    def drawn_means(self, n_draws: int, rng: np.random.Generator) -> np.ndarray:
        """Means of the priors drawn anew, (draws, priors)."""
        return self.mean + self.sd * rng.standard_normal((n_draws, self.mean.size))


def squares(priors: Sequence[Prior], layout: Layout, unit: float) -> Squares:
    """The priors over the slots of a layout; `unit` is the objective worth of half a squared standard deviation.

    A prior that names a parameter separate by arm holds in every arm."""
    by_name = {p.name: p for p in layout.law.parameters}
    rows, means, sds = [], [], []
    for prior in priors:
        for name in prior.log_weights:
            if name not in by_name:
                raise InputError(
                    f"law '{layout.law.name}' has no parameter '{name}' for a prior; it"
                    f" has: {', '.join(by_name)}"
                )
            if by_name[name].transform != "log" or by_name[name].term:
                raise InputError(
                    f"a prior on '{name}' is not possible: it is not fitted as a log;"
                    " put it on an exponent or a scale"
                )
        arms = (
            len(layout.arms)
            if any(name in layout.by_arm for name in prior.log_weights)
            else 1
        )
        for arm in range(arms):
            row = np.zeros(layout.size)
            for name, weight in prior.log_weights.items():
                row[
                    layout.slots[name].start + (arm if name in layout.by_arm else 0)
                ] = weight
            rows.append(row)
            means.append(prior.mean)
            sds.append(prior.sd)
    return Squares(
        np.array(rows),
        mean=np.array(means),
        sd=np.array(sds),
        precision=unit / np.square(sds),
    )
