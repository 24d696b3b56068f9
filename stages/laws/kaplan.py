"""Model size and tokens in one bracket, without a floor (Kaplan et al. 2020).

    value = ((A / N^alpha)^(1/beta) + (B / D^beta)^(1/beta))^beta

A and B are the paper's N_c^alpha_N and D_c^alpha_D: the scales themselves run over dozens of decades when the
exponents are near .1. Without a floor the law says too little loss far away.
"""

import numpy as np

from .law import N_PARAMS, N_TOKENS_SEEN, Law, Parameter, Reduction, amplitude, inverse


def _bracket(p, v):
    """Logs of the two terms and of their sum, each to the power 1 / beta. Shapes as in law.py."""
    size = (np.log(p["A"]) - p["alpha"] * np.log(v["n_params"])) / p["beta"]
    data = np.log(p["B"]) / p["beta"] - np.log(v["n_tokens_seen"])
    return size, data, np.logaddexp(size, data)


def value(p, v):
    return np.exp(p["beta"] * _bracket(p, v)[2])


def gradient(p, v):
    """d value / d parameter for each parameter."""
    size, data, total = _bracket(p, v)
    of_size, of_data, found = np.exp(size - total), np.exp(data - total), np.exp(p["beta"] * total)
    by_beta = total - of_size * size - of_data * np.log(p["B"]) / p["beta"]
    return {"A": found * of_size / p["A"], "alpha": -found * of_size * np.log(v["n_params"]),
            "B": found * of_data / p["B"], "beta": found * by_beta}


def _small_exponent(name, meaning):
    return Parameter(name, "1", 0.005, 2.0, 0.04, 0.5, "log", meaning)


KAPLAN = Law(
    name="kaplan",
    title="Model size and tokens in one bracket, no floor",
    formula="value = ((A / n_params^alpha)^(1/beta) + (B / n_tokens_seen^beta)^(1/beta))^beta",
    variables=(N_PARAMS, N_TOKENS_SEEN),
    parameters=(amplitude("A", "value of this size with unlimited tokens, times N^alpha", ("alpha", inverse("n_params"))),
                _small_exponent("alpha", "exponent over model size"),
                amplitude("B", "value of these tokens with an unlimited model, times D^beta", ("beta", inverse("n_tokens_seen"))),
                _small_exponent("beta", "exponent over tokens")),
    value=value,
    gradient=gradient,
    source="Kaplan et al. 2020, arXiv 2001.08361, eq. 1.5, with A = N_c^alpha_N and B = D_c^alpha_D",
    reduces_to=Reduction("power_floor_tokens", {"A": 1e-300}, {}, {"E": 0.0}),
    arm_parameters=("B",),
)
