"""Mixture weights by gradients of optimal transport, projected to a size never run (projektor, Kang
et al. 2023).

From a start inside the simplex, step down dL/dp at the target size, L the two-stage projection of
`projektor.py`, and go back to the nearest shares after every step. Their notebook steps with the
gradient at the smaller size, eliminates one share, never projects onto the simplex and climbs an
accuracy; here the projected gradient is used in all coordinates, on a loss. A gradient is known up
to a constant, which the simplex removes. Each step solves one transport problem of the new mixture.
Fails (a test) where sources are alike: their gradients are equal, so nothing tells them apart and
the start decides; and the projection is a line in log size, so far beyond the two sizes it says
less than it seems to.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stages.foundation.errors import InputError
from stages.laws.mixtures_and_tasks.projektor import MixtureScore, onto_simplex, project

# assumed: longest move of a share at first, steps, and factor a step
STEP, STEPS, DECAY = (0.2, 60, 0.95)
DistanceAt = Callable[[np.ndarray], tuple[float, np.ndarray]]


@dataclass(frozen=True, eq=False)
class MixturePath:
    """`mixtures` (steps + 1, sources) and the projected score at each (steps + 1,); `best` is the
    mixture of the lowest.
    """

    mixtures: np.ndarray
    scores: np.ndarray

    @property
    def best(self) -> np.ndarray:
        return self.mixtures[self.scores.argmin()]


def descend(
    first: tuple[float, MixtureScore],
    second: tuple[float, MixtureScore],
    size: float,
    distance_at: DistanceAt,
    start: np.ndarray,
    *,
    steps: int = STEPS,
    step: float = STEP,
) -> MixturePath:
    """Follow the projected gradient from `start` (sources,). `first` and `second` are (size, stage 1 fitted there).

    `distance_at(mixture)` gives the transport distance to the target and its gradient (sources,) at a mixture.

    >>> from stages.laws.mixtures_and_tasks.projektor import fit_mixture_score
    >>> def distance_at(mixture):  # a target of 70 % of the first source
    ...     off = mixture - np.array([0.7, 0.3])
    ...     return float(1 + off @ off), 2 * off
    >>> runs = np.stack([np.linspace(0.05, 0.95, 9), np.linspace(0.95, 0.05, 9)], axis=1)
    >>> distances = np.array([distance_at(run)[0] for run in runs])
    >>> small, large = (fit_mixture_score(runs, distances, c + distances) for c in (2, 1))
    >>> path = descend((1e6, small), (1e7, large), 1e9, distance_at, np.array([0.5, 0.5]))
    >>> path.best.round(2)
    array([0.7, 0.3])
    """
    mixture = np.asarray(start, dtype=np.float64)
    if mixture.min() < 0 or abs(mixture.sum() - 1) > 1e-9:
        raise InputError(
            "a mixture starts from shares that are not negative and add up to 1, got"
            f" {mixture.tolist()}"
        )
    mixtures, scores = [mixture], []
    for number in range(steps + 1):
        distance, pull = distance_at(mixture)
        scores.append(
            float(
                project(
                    size,
                    first[0],
                    first=first[1].value(mixture, distance),
                    second_size=second[0],
                    second=second[1].value(mixture, distance),
                )[0]
            )
        )
        if number == steps:
            break
        slope = project(
            size,
            first[0],
            first=first[1].gradient(mixture, distance, pull),
            second_size=second[0],
            second=second[1].gradient(mixture, distance, pull),
        )
        slope = slope - slope.mean()
        length = step * DECAY**number / max(float(np.abs(slope).max()), 1e-12)
        mixture = (
            onto_simplex(mixture - length * slope)
            if np.abs(slope).max() > 1e-12
            else mixture
        )
        mixtures.append(mixture)
    return MixturePath(np.array(mixtures), np.array(scores))
