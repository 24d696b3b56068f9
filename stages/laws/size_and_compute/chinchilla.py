"""Parameters and tokens, every token new: value = E + A / N^alpha + B / D^beta."""

import numpy as np

from stages.laws.interface.law import (
    N_PARAMS,
    N_TOKENS_SEEN,
    Law,
    amplitude,
    exponent,
    floor,
    inverse,
)

PARAMETERS = (
    floor(),
    amplitude("A", "amplitude over model size", ("alpha", inverse("n_params"))),
    exponent("alpha", "exponent over model size"),
    amplitude("B", "amplitude over tokens", ("beta", inverse("n_tokens_seen"))),
    exponent("beta", "exponent over tokens"),
)


def value(p, v):
    """E + A / N^alpha + B / D^beta. Shapes as in law.py."""
    size_term = p["A"] * np.exp(-p["alpha"] * np.log(v["n_params"]))
    return p["E"] + size_term + p["B"] * np.exp(-p["beta"] * np.log(v["n_tokens_seen"]))


def gradient(p, v):
    """d value / d parameter for each parameter. Shapes as in law.py."""
    log_n, log_d = np.log(v["n_params"]), np.log(v["n_tokens_seen"])
    per_a, per_b = np.exp(-p["alpha"] * log_n), np.exp(-p["beta"] * log_d)
    return {
        "E": np.ones_like(per_a * per_b),
        "A": per_a,
        "alpha": -p["A"] * per_a * log_n,
        "B": per_b,
        "beta": -p["B"] * per_b * log_d,
    }


def balance(p):
    """G = (alpha A / (beta B))^(1 / (alpha + beta)), which fixes the compute-optimal line."""
    log_ratio = np.log(p["alpha"]) + np.log(p["A"]) - np.log(p["beta"]) - np.log(p["B"])
    return np.exp(log_ratio / (p["alpha"] + p["beta"]))


def optimum(p, flops):
    """Compute-optimal (n_params, n_tokens) for a budget of 6 N D = flops, all tokens new."""
    share = p["beta"] / (p["alpha"] + p["beta"])
    n_params = balance(p) * np.exp(share * np.log(flops / 6))
    return n_params, flops / 6 / n_params


CHINCHILLA = Law(
    name="chinchilla",
    title="Model size and tokens, no repetition",
    formula="value = E + A / n_params^alpha + B / n_tokens_seen^beta",
    variables=(N_PARAMS, N_TOKENS_SEEN),
    parameters=PARAMETERS,
    value=value,
    gradient=gradient,
    optimum=optimum,
    source=(
        "Hoffmann et al. 2022, arXiv 2203.15556, eq. 2; refit Besiroglu et al. 2024,"
        " arXiv 2404.10102"
    ),
    arm_parameters=("E", "B"),
    automatic=("sizes and tokens",),
    rank=30,
)
