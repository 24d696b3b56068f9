"""One domain (a language family) inside a mixture: its share multiplies the whole of its law.

    value_i = (E_i + A_i / N^alpha_i + B_i / D^beta_i) s_i^-gamma_i

The floor is multiplied too, so the value cannot reach E at a share below 1, and at share 0 it is infinite. Fit
each family apart. `best_shares` gives the least weighted sum over families.
"""

from collections.abc import Sequence

import numpy as np

from stages.foundation.errors import InputError
from stages.laws.interface.law import (
    N_PARAMS,
    N_TOKENS_SEEN,
    Law,
    Parameter,
    Reduction,
    share,
)
from stages.laws.size_and_compute import chinchilla

OWN_SHARE = share(
    "family", "share of the tokens that come from the family whose value this is; not 0"
)


def value(p, v):
    return chinchilla.value(p, v) * _penalty(p, v)


def _penalty(p, v):
    return np.exp(-p["gamma"] * np.log(np.maximum(v["share_family"], 1e-12)))


def gradient(p, v):
    """d value / d parameter for each parameter."""
    factor = _penalty(p, v)
    plain = {name: part * factor for name, part in chinchilla.gradient(p, v).items()}
    return plain | {
        "gamma": -value(p, v) * np.log(np.maximum(v["share_family"], 1e-12))
    }


def best_shares(
    weights: Sequence[float], brackets: Sequence[float], gammas: Sequence[float]
) -> np.ndarray:
    """Shares (families,) of least sum_i weights_i brackets_i s_i^-gamma_i, by bisection on the one
    multiplier.

    brackets: value of each family at share 1 at the size and tokens meant; weights / brackets in
    place of weights gives the normalised sum. The problem is convex, so the answer is the only one.

    >>> best_shares([1, 1], [2.5, 2.5], [0.3, 0.3])
    array([0.5, 0.5])
    """
    exponents = np.asarray(gammas, float)
    pull = np.asarray(weights, float) * np.asarray(brackets, float) * exponents
    if not (pull > 0).all():
        raise InputError(
            "weights, brackets and gammas must be positive; drop families that should"
            " get nothing"
        )
    low, high = (
        np.log(pull.min()) - 1.0,
        np.log(pull.sum()) + (1 + exponents.max()) * np.log(pull.size + 1.0) + 1.0,
    )  # log multiplier
    for _ in range(200):
        middle = 0.5 * (low + high)
        total = np.exp((np.log(pull) - middle) / (exponents + 1)).sum()
        low, high = (middle, high) if total > 1 else (low, middle)
    shares = np.exp((np.log(pull) - high) / (exponents + 1))
    return shares / shares.sum()


FAMILY_RATIO = Law(
    name="family_ratio",
    title="One language family in a mixture, with size and tokens",
    formula="value = (E + A / N^alpha + B / D^beta) / share_family^gamma",
    variables=(N_PARAMS, N_TOKENS_SEEN, OWN_SHARE),
    parameters=(
        *chinchilla.PARAMETERS,
        Parameter(
            "gamma",
            unit="1",
            low=1e-4,
            high=3.0,
            start_low=0.02,
            start_high=0.4,
            transform="log",
            meaning="exponent over the share",
        ),
    ),
    value=value,
    gradient=gradient,
    source=(
        "He et al. 2024, Scaling laws for multilingual language models, arXiv"
        " 2410.12883 (second hand)"
    ),
    reduces_to=Reduction("chinchilla", {"gamma": 1e-300}),
    arm_parameters=("E", "B", "gamma"),
    rank=170,
)
