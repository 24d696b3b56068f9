"""Performance of a mixture at a size never run, from two smaller sizes (projektor, Kang et al.
2023): the algebra.

Stage 1, at one size:
    L(p) = sum_i (b2_i p_i^2 + b1_i p_i + b0) T(p) + sum_i (c2_i p_i^2 + c1_i p_i + c0)
with T the optimal-transport distance of the mixture to the validation set; linear in the
coefficients, so least squares. Stage 2: linear in log N between two sizes,
    L(N) = (ln(N / N0) L(N1) - ln(N / N1) L(N0)) / ln(N1 / N0),
exact where L is linear in log N and without bound far away. No measurements were published with it,
so nothing here is validated on data; the authors' notebook differs from their formula in several
places and is not followed.
"""

from dataclasses import dataclass

import numpy as np

from stages.foundation.errors import InputError


@dataclass(frozen=True)
class MixtureScore:
    """Stage 1 at one size. b2, b1, c2, c1: (sources,); b0 and c0 are sums over sources."""

    b2: np.ndarray
    b1: np.ndarray
    b0: float
    c2: np.ndarray
    c1: np.ndarray
    c0: float

    def value(self, mixture, distance) -> np.ndarray:
        """L at mixtures (points, sources) with distances (points,)."""
        p = np.atleast_2d(np.asarray(mixture, float))
        return (
            (p**2 @ self.b2 + p @ self.b1 + self.b0) * distance
            + p**2 @ self.c2
            + p @ self.c1
            + self.c0
        )

    def gradient(self, mixture, distance: float, distance_gradient) -> np.ndarray:
        """dL / dp_i at one mixture (sources,), with T and dT / dp_i (sources,) there; each p_i taken as free."""
        p = np.asarray(mixture, float)
        slope = p**2 @ self.b2 + p @ self.b1 + self.b0
        return (
            slope * np.asarray(distance_gradient)
            + (2 * self.b2 * p + self.b1) * distance
            + 2 * self.c2 * p
            + self.c1
        )


def fit_mixture_score(mixtures, distances, scores) -> MixtureScore:
    """Least squares of stage 1; the smallest coefficients where shares that add up to 1 leave a choice."""
    p, t, y = (
        np.asarray(mixtures, float),
        np.asarray(distances, float)[:, None],
        np.asarray(scores, float),
    )
    one = np.ones_like(t)
    design = np.hstack([p**2 * t, p * t, t, p**2, p, one])
    m = p.shape[1]
    if (
        y.size < 4 * m - 2
    ):  # the sums to 1 remove two of the 4 m + 2 coefficients, and more where a share never varies
        raise InputError(
            f"{y.size} mixtures of {m} sources cannot fit {4 * m} free coefficients;"
            " run more mixtures"
        )
    k = np.linalg.lstsq(design, y, rcond=None)[0]
    return MixtureScore(
        k[:m],
        b1=k[m : 2 * m],
        b0=float(k[2 * m]),
        c2=k[2 * m + 1 : 3 * m + 1],
        c1=k[3 * m + 1 : 4 * m + 1],
        c0=float(k[-1]),
    )


def project(size, first_size: float, first, second_size: float, second) -> np.ndarray:
    """Stage 2: from values (or gradients) at two sizes to `size`, by a line in log size.

    >>> round(float(project(10_000, 1000, 0.70, 1500, 0.72)), 4)
    0.8136
    """
    if first_size == second_size:
        raise InputError(f"the two sizes must differ, both are {first_size:g}")
    span = np.log(second_size / first_size)
    return (
        np.log(size / first_size) * np.asarray(second)
        - np.log(size / second_size) * np.asarray(first)
    ) / span


def onto_simplex(point) -> np.ndarray:
    """The nearest shares (sources,): none negative, sum 1."""
    y = np.asarray(point, float)
    ordered = np.sort(y)[::-1]
    excess = (np.cumsum(ordered) - 1) / np.arange(1, y.size + 1)
    return np.maximum(y - excess[np.flatnonzero(ordered > excess)[-1]], 0.0)
