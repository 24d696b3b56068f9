"""Inversions and maps around the downstream laws: effective size, effective data, pass rates with
few passes, subset to full score.
"""

from dataclasses import dataclass

import numpy as np

from stages.foundation.errors import InputError
from stages.laws.mixtures_and_tasks.downstream import value_pass


def loss_from_score(p, score) -> np.ndarray:
    """Invert accuracy_from_loss: the task loss at which the law gives `score`; nan outside (top - drop, top)."""
    level = (p["top"] - np.asarray(score, float)) / p["drop"]
    inside = (level > 0) & (level < 1)
    level = np.where(inside, level, 0.5)
    return np.where(inside, p["x0"] + np.log(level / (1 - level)) / p["k"], np.nan)


def _inverted(left, amplitude, exponent):
    """x at which amplitude / x^exponent = left; inf where nothing is left."""
    possible = left > 0
    return np.where(
        possible,
        np.power(amplitude / np.where(possible, left, amplitude), 1 / exponent),
        np.inf,
    )


def effective_params(p, loss, n_tokens) -> np.ndarray:
    """Size of the reference model (chinchilla p) that has this loss at n_tokens; inf where no size reaches it."""
    left = np.asarray(loss, float) - p["E"] - p["B"] * np.power(n_tokens, -p["beta"])
    return _inverted(left, p["A"], p["alpha"])


def effective_tokens(p, loss, n_params) -> np.ndarray:
    """Tokens of the reference data (chinchilla p) that give this loss at n_params; inf where no
    amount does.

    Of a curated set: effective_tokens(baseline, its loss, N) / its tokens is its density, how many
    baseline tokens one is worth.

    >>> baseline = {"E": 1.7, "A": 400.0, "alpha": 0.34, "B": 410.0, "beta": 0.28}
    >>> loss = 1.7 + 400 / 1e8**0.34 + 410 / 2e10**0.28  # as of 2e10 tokens
    >>> round(float(effective_tokens(baseline, loss, n_params=1e8) / 1e10), 3)
    2.0
    """
    left = np.asarray(loss, float) - p["E"] - p["A"] * np.power(n_params, -p["alpha"])
    return _inverted(left, p["B"], p["beta"])


def pass_estimate(passes, tries) -> np.ndarray:
    """Unbiased pass rate when sampling stops at the r-th pass, (r - 1) / (K - 1); nan for fewer than two passes."""
    passes, tries = np.asarray(passes, float), np.asarray(tries, float)
    return np.where(passes >= 2, (passes - 1) / np.maximum(tries - 1, 1), np.nan)


@dataclass(frozen=True)
class PassFit:
    """c and alpha of the pass-rate law and the number of runs that were cut before their passes were reached."""

    params: dict[str, float]
    n_censored: int


def fit_pass_rate(n_params, passes, tries, wanted_passes: int) -> PassFit:
    """Maximum likelihood of exp(-c / N^alpha) from counts, runs cut at a cap of tries included.

    The likelihood passes * log P + (tries - passes) * log(1 - P) does not depend on why sampling stopped, so a run that
    was cut with no pass at all still says that its rate is small; dropping it would bias small models up.
    """
    from scipy.optimize import (
        minimize,
    )  # here, because it doubles the time to import this package

    n_params, passes, tries = (np.asarray(x, float) for x in (n_params, passes, tries))
    if np.unique(n_params).size < 2:
        raise InputError(
            "the pass-rate law needs several values of n_params, all are"
            f" {n_params[0]:g}"
        )
    centre = np.mean(np.log(n_params))

    def negative(theta):
        p = {
            "c": np.exp(theta[0] + np.exp(theta[1]) * centre),
            "alpha": np.exp(theta[1]),
        }
        rate = np.clip(value_pass(p, {"n_params": n_params}), 1e-300, 1 - 1e-12)
        return -np.sum(passes * np.log(rate) + (tries - passes) * np.log1p(-rate))

    found = min(
        (
            minimize(
                negative,
                [a, b],
                method="Nelder-Mead",
                options={"xatol": 1e-8, "fatol": 1e-10, "maxiter": 4000},
            )
            for a in (-1.0, 1.0, 2.0)
            for b in (-2.0, -0.7)
        ),
        key=lambda result: result.fun,
    )
    alpha = float(np.exp(found.x[1]))
    return PassFit(
        {"c": float(np.exp(found.x[0] + alpha * centre)), "alpha": alpha},
        int(np.sum(passes < wanted_passes)),
    )


@dataclass(frozen=True)
class SubsetMap:
    """Quartic through (0, 0) and (1, 1) from the score of the predictable subset to that of the full set."""

    bend: np.ndarray  # (3,) of x (1 - x) (b0 + b1 x + b2 x^2)

    def __call__(self, subset_score) -> np.ndarray:
        x = np.asarray(subset_score, float)
        return x + x * (1 - x) * np.polynomial.polynomial.polyval(x, self.bend)


def subset_map(subset_score, full_score) -> SubsetMap:
    """Least squares on anchor models, at least three; anchors of another family are an assumption of the method."""
    x, y = np.asarray(subset_score, float), np.asarray(full_score, float)
    if x.size < 3:
        raise InputError(
            "the map from subset to full score needs at least 3 anchor models, got"
            f" {x.size}"
        )
    design = (x * (1 - x))[:, None] * x[:, None] ** np.arange(3)
    return SubsetMap(np.linalg.lstsq(design, y - x, rcond=None)[0])
