"""Repetition that can make the value rise: an added penalty that grows with repeats and with N / U.

The variants differ in what of P R_D^delta N^kappa / U^mu is free: `overfit_one` P alone (delta =
kappa = mu = 1), `overfit_two` P and one exponent for both, `overfit` P, delta and kappa = mu,
`overfit_four` all four. That the paper frees P, then one exponent, then the other was read second
hand (Weng 2026, Scaling laws, carefully); the fourth is ours. `overfit` keeps every token at full
worth and adds the penalty (2026 form). `overfit_data_constrained` is ours: tokens decay as in
data_constrained and the penalty is added, because proxies show both, first a saturation and past
some repeats a rise.
"""

from dataclasses import replace

import numpy as np

from stages.laws.interface.law import (
    N_PARAMS,
    N_TOKENS_SEEN,
    N_TOKENS_UNIQUE,
    Law,
    Parameter,
    Reduction,
    inverse,
    power,
)
from stages.laws.repetition import data_constrained
from stages.laws.size_and_compute import chinchilla


def repeats(v):
    """R_D = max(D / U - 1, 0), the number of passes after the first."""
    return np.maximum(v["n_tokens_seen"] / v["n_tokens_unique"] - 1.0, 0.0)


def params_per_unique_token(v):
    return v["n_params"] / v["n_tokens_unique"]


PENALTY = (
    Parameter(
        "P",
        unit="value",
        low=1e-12,
        high=1e3,
        start_low=1e-4,
        start_high=0.1,
        transform="log",
        meaning="penalty at one repeat and N = U",
        relative=True,
        term=(("delta", repeats), ("kappa", params_per_unique_token)),
    ),
    Parameter(
        "delta",
        unit="1",
        low=0.02,
        high=6.0,
        start_low=0.3,
        start_high=2.5,
        transform="log",
        meaning="exponent over repeats",
    ),
    Parameter(
        "kappa",
        unit="1",
        low=0.02,
        high=6.0,
        start_low=0.3,
        start_high=2.0,
        transform="log",
        meaning="exponent over parameters per unique token",
    ),
)
PENALTY_ONE = replace(PENALTY[0], term=())
PENALTY_TWO = (
    replace(
        PENALTY[0], term=(("delta", lambda v: repeats(v) * params_per_unique_token(v)),)
    ),
    PENALTY[1],
)
PENALTY_FOUR = (
    replace(
        PENALTY[0],
        term=(
            ("delta", repeats),
            ("kappa", lambda v: v["n_params"]),
            ("mu", inverse("n_tokens_unique")),
        ),
    ),
    *PENALTY[1:],
    Parameter(
        "mu",
        unit="1",
        low=0.02,
        high=6.0,
        start_low=0.3,
        start_high=2.0,
        transform="log",
        meaning="exponent over unique tokens",
    ),
)
VARIABLES = (N_PARAMS, N_TOKENS_SEEN, N_TOKENS_UNIQUE)


def penalty(p, v):
    """P R_D^delta (N / U)^kappa. Shapes as in law.py."""
    return (
        p["P"]
        * power(repeats(v), p["delta"])
        * power(params_per_unique_token(v), p["kappa"])
    )


def value(p, v):
    """Chinchilla plus the penalty."""
    return chinchilla.value(p, v) + penalty(p, v)


def gradient(p, v):
    """d value / d parameter for each parameter."""
    per_p = penalty({**p, "P": 1.0}, v)
    log_repeats, log_ratio = (
        np.log(np.maximum(repeats(v), 1e-300)),
        np.log(params_per_unique_token(v)),
    )
    return chinchilla.gradient(p, v) | {
        "P": per_p,
        "delta": p["P"] * per_p * log_repeats,
        "kappa": p["P"] * per_p * log_ratio,
    }


def _tied(exponents):
    """Value of a variant whose exponents come from fewer unknowns: p -> {"delta", "kappa"}, or one of them."""

    def of(p, v):
        return value({**p, **exponents(p)}, v)

    return of


def value_four(p, v):
    """Chinchilla plus P R_D^delta N^kappa / U^mu."""
    by_size = np.exp(
        p["kappa"] * np.log(v["n_params"]) - p["mu"] * np.log(v["n_tokens_unique"])
    )
    return chinchilla.value(p, v) + p["P"] * power(repeats(v), p["delta"]) * by_size


def value_data_constrained(p, v):
    """Chinchilla with effective tokens, plus the penalty. Excess parameters are left to the penalty."""
    seen = {**v, "n_tokens_seen": data_constrained.effective_tokens(p, v)}
    return chinchilla.value(p, seen) + penalty(p, v)


OVERFIT = Law(
    name="overfit",
    title="Model size and tokens, plus a penalty for repetition",
    formula=(
        "value = E + A / N^alpha + B / D^beta + P R_D^delta (N / U)^kappa; R_D ="
        " max(D/U - 1, 0)"
    ),
    variables=VARIABLES,
    parameters=(*chinchilla.PARAMETERS, *PENALTY),
    value=value,
    gradient=gradient,
    source=(
        "Prescriptive scaling laws for data-constrained training, arXiv 2605.01640"
        " (read second hand)"
    ),
    reduces_to=Reduction("chinchilla", {}, {"n_tokens_unique": "n_tokens_seen"}),
    arm_parameters=("E", "B"),
    rank=120,
)

OVERFIT_ONE = replace(
    OVERFIT,
    name="overfit_one",
    title="Model size and tokens, plus a penalty with one unknown",
    formula="value = E + A / N^alpha + B / D^beta + P R_D N / U; R_D = max(D/U - 1, 0)",
    parameters=(*chinchilla.PARAMETERS, PENALTY_ONE),
    value=_tied(lambda p: {"delta": 1.0, "kappa": 1.0}),
    gradient=None,
    source=(
        "one-parameter form of arXiv 2605.01640 (read second hand: exponents 1 are"
        " ours)"
    ),
    reduces_to=Reduction(
        "overfit",
        parameters={},
        variables={},
        other_parameters={"delta": 1.0, "kappa": 1.0},
    ),
)

OVERFIT_TWO = replace(
    OVERFIT,
    name="overfit_two",
    title="Model size and tokens, plus a penalty with two unknowns",
    formula=(
        "value = E + A / N^alpha + B / D^beta + P (R_D N / U)^delta; R_D = max(D/U -"
        " 1, 0)"
    ),
    parameters=(*chinchilla.PARAMETERS, *PENALTY_TWO),
    value=_tied(lambda p: {"kappa": p["delta"]}),
    gradient=None,
    source=(
        "two-parameter form of arXiv 2605.01640 (read second hand: one exponent for"
        " both is ours)"
    ),
    reduces_to=Reduction(
        "overfit",
        parameters={"delta": 0.8},
        variables={},
        other_parameters={"kappa": 0.8},
    ),
)

OVERFIT_FOUR = replace(
    OVERFIT,
    name="overfit_four",
    title="Model size and tokens, plus a penalty with four unknowns",
    formula=(
        "value = E + A / N^alpha + B / D^beta + P R_D^delta N^kappa / U^mu; R_D ="
        " max(D/U - 1, 0)"
    ),
    parameters=(*chinchilla.PARAMETERS, *PENALTY_FOUR),
    value=value_four,
    gradient=None,
    source=(
        "four-parameter form of arXiv 2605.01640 (read second hand: the fourth, an"
        " exponent of its own for U, is ours)"
    ),
    reduces_to=Reduction("overfit", {"kappa": 0.9, "mu": 0.9}),
)

OVERFIT_DATA_CONSTRAINED = Law(
    name="overfit_data_constrained",
    title="Repeats decay in worth and, past some point, harm",
    formula=(
        "value = E + A / N^alpha + B / D'^beta + P R_D^delta (N / U)^kappa; D' as in"
        " data_constrained"
    ),
    variables=VARIABLES,
    parameters=(*chinchilla.PARAMETERS, data_constrained.REPEATS, *PENALTY),
    value=value_data_constrained,
    source=(
        "ours: effective tokens of arXiv 2305.16264 with the additive penalty of arXiv"
        " 2605.01640"
    ),
    reduces_to=Reduction("overfit", {"R_D_star": 1e30}),
    arm_parameters=("E", "B"),
)
