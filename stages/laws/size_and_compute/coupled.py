"""Parameters and tokens per parameter, with a data term that need not depend on tokens alone.

value = E + A / N^alpha + B (N/D)^beta / N^gamma. gamma = beta is Chinchilla. Where batch and learning rate follow
the model size, equal tokens per parameter are more alike than equal tokens: on a published ladder of 16 runs
gamma = .07 and beta = .4, and the misfit is .10 % against .32 % for Chinchilla (measured).
"""

import numpy as np

from stages.laws.interface.law import (
    N_PARAMS,
    N_TOKENS_SEEN,
    Law,
    Reduction,
    amplitude,
    exponent,
    inverse,
)
from stages.laws.size_and_compute.chinchilla import PARAMETERS


def params_per_token(v):
    return v["n_params"] / v["n_tokens_seen"]


def value(p, v):
    """E + A / N^alpha + B (N/D)^beta / N^gamma. Shapes as in law.py."""
    log_n = np.log(v["n_params"])
    return (
        p["E"]
        + p["A"] * np.exp(-p["alpha"] * log_n)
        + p["B"] * np.exp(p["beta"] * np.log(params_per_token(v)) - p["gamma"] * log_n)
    )


def gradient(p, v):
    """d value / d parameter for each parameter."""
    log_n, log_ratio = np.log(v["n_params"]), np.log(params_per_token(v))
    per_a, per_b = (
        np.exp(-p["alpha"] * log_n),
        np.exp(p["beta"] * log_ratio - p["gamma"] * log_n),
    )
    return {
        "E": np.ones_like(per_a * per_b),
        "A": per_a,
        "alpha": -p["A"] * per_a * log_n,
        "B": per_b,
        "beta": p["B"] * per_b * log_ratio,
        "gamma": -p["B"] * per_b * log_n,
    }


COUPLED = Law(
    name="coupled",
    title="Model size and tokens per parameter",
    formula=(
        "value = E + A / n_params^alpha + B (n_params / n_tokens_seen)^beta /"
        " n_params^gamma"
    ),
    variables=(N_PARAMS, N_TOKENS_SEEN),
    parameters=(
        *PARAMETERS[:3],
        amplitude(
            "B",
            "amplitude over tokens per parameter",
            ("beta", params_per_token),
            ("gamma", inverse("n_params")),
        ),
        exponent("beta", "exponent over tokens per parameter"),
        exponent("gamma", "exponent of the data term over model size"),
    ),
    value=value,
    gradient=gradient,
    source=(
        "ours; the form of arXiv 2403.08540, whose exponents are all equal, with three"
        " free exponents"
    ),
    reduces_to=Reduction("chinchilla", {"beta": 0.3, "gamma": 0.3}),
    arm_parameters=("E", "B"),
    automatic=("sizes and tokens",),
    rank=80,
)
