"""Repeats that count for fewer tokens: two more ways in which their worth can fall, with model size.

`data_constrained_geometric`: each repeat is worth (1 - q_D) times the one before, and each multiple of excess
parameters (1 - q_N) times. `effective_data`: a pass is worth half of the pass tau passes before it, in steps.
Both saturate; neither can make the value rise.
"""

import numpy as np

from stages.laws.interface.law import (
    N_PARAMS,
    N_TOKENS_SEEN,
    N_TOKENS_UNIQUE,
    Law,
    Parameter,
    Reduction,
)
from stages.laws.repetition import data_constrained
from stages.laws.repetition.half_life import stepped_tokens
from stages.laws.size_and_compute import chinchilla

VARIABLES = (N_PARAMS, N_TOKENS_SEEN, N_TOKENS_UNIQUE)
FADE_TOKENS = Parameter(
    "q_D",
    unit="1",
    low=1e-6,
    high=0.999,
    start_low=0.003,
    start_high=0.3,
    transform="log",
    meaning="share of its worth that a repeat loses to the one before",
)
FADE_PARAMS = Parameter(
    "q_N",
    unit="1",
    low=1e-6,
    high=0.999,
    start_low=0.01,
    start_high=0.6,
    transform="log",
    meaning="the same for multiples of excess parameters",
)


def geometric(unique, multiples, fade):
    """unique * sum of (1 - fade)^k over `multiples` copies, continuous in their number: unique when there is one."""
    rate = np.log1p(-fade)
    return unique * np.expm1(multiples * rate) / np.expm1(rate)


def value_geometric(p, v):
    """E + A / N'^alpha + B / D'^beta with geometric sums."""
    unique = np.minimum(v["n_tokens_unique"], v["n_tokens_seen"])
    base = np.minimum(v["n_params"], data_constrained.optimal_params_for(p, unique))
    return chinchilla.value(
        p,
        {
            "n_params": geometric(base, v["n_params"] / base, p["q_N"]),
            "n_tokens_seen": geometric(unique, v["n_tokens_seen"] / unique, p["q_D"]),
        },
    )


def value_stepped(p, v):
    """E + A / N^alpha + B / D_eff^beta."""
    return chinchilla.value(
        p,
        {
            **v,
            "n_tokens_seen": stepped_tokens(
                p["tau"], v["n_tokens_seen"], v["n_tokens_unique"]
            ),
        },
    )


DATA_CONSTRAINED_GEOMETRIC = Law(
    name="data_constrained_geometric",
    title="Repeats and excess parameters fade by a constant ratio",
    formula=(
        "value = E + A / N'^alpha + B / D'^beta; D' = U (1 - (1 - q_D)^(D/U)) / q_D; N'"
        " likewise with U_N = min(N, N_opt(U)), q_N"
    ),
    variables=VARIABLES,
    parameters=(*chinchilla.PARAMETERS, FADE_TOKENS, FADE_PARAMS),
    value=value_geometric,
    source=(
        "Muennighoff et al. 2023, arXiv 2305.16264, geometric-sum variant of the"
        " authors' notebook (read second hand)"
    ),
    reduces_to=Reduction(
        "chinchilla", {"q_N": 1e-40}, {"n_tokens_unique": "n_tokens_seen"}
    ),
    arm_parameters=("E", "B"),
    rank=100,
)

EFFECTIVE_DATA = Law(
    name="effective_data",
    title="Passes count for fewer tokens, half every tau passes",
    formula=(
        "value = E + A / N^alpha + B / D_eff^beta; D_eff = sum over passes of its"
        " tokens (1/2)^((pass - 1) / tau)"
    ),
    variables=VARIABLES,
    parameters=(
        *chinchilla.PARAMETERS,
        Parameter(
            "tau",
            unit="passes",
            low=0.05,
            high=1e4,
            start_low=1.0,
            start_high=30.0,
            transform="log",
            meaning="passes after which a pass is worth half",
        ),
    ),
    value=value_stepped,
    source=(
        "Goyal et al. 2024, arXiv 2404.07177, effective-data alternative of the"
        " authors' code; size term ours"
    ),
    reduces_to=Reduction("chinchilla", {}, {"n_tokens_unique": "n_tokens_seen"}),
    arm_parameters=("E", "B", "tau"),
)
