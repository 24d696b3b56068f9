"""Model size and tokens in one bracket: what one lacks, the other cannot fully make up (Kaplan et al. 2020).

    value = E + ((A / N^alpha)^(1/q) + (B / D^beta)^(1/q))^q

A and B are the paper's N_c^alpha_N and D_c^alpha_D: the scales themselves run over dozens of decades when the
exponents are near .1. The paper has q = beta and no floor, and so says too little loss far away; with a floor it
is the law that extrapolates best on a published ladder of 16 runs (.19 % against .86 % of a sum and .32 % of the
law chosen there, measured). q = 1 is a sum; on that ladder q is fitted as .22 and on the Chinchilla runs as 1.00.
"""

import numpy as np

from stages.laws.interface.law import (
    N_PARAMS,
    N_TOKENS_SEEN,
    Law,
    Parameter,
    Reduction,
    amplitude,
    floor,
    inverse,
)
from stages.laws.size_and_compute.chinchilla import PARAMETERS

SOURCE = (
    "Kaplan et al. 2020, arXiv 2001.08361, eq. 1.5, with A = N_c^alpha_N and B ="
    " D_c^alpha_D"
)


def _bracket(p, v, q):
    """Logs of the two terms and of their sum, each to the power 1 / q. Shapes as in law.py."""
    size = (np.log(p["A"]) - p["alpha"] * np.log(v["n_params"])) / q
    data = (np.log(p["B"]) - p["beta"] * np.log(v["n_tokens_seen"])) / q
    return size, data, np.logaddexp(size, data)


def _slopes(p, v, q):
    """d (bracket^q) / d parameter, and d / d q under the name 'q'. Shapes as in law.py."""
    size, data, total = _bracket(p, v, q)
    of_size, of_data, found = (
        np.exp(size - total),
        np.exp(data - total),
        np.exp(q * total),
    )
    return {
        "A": found * of_size / p["A"],
        "alpha": -found * of_size * np.log(v["n_params"]),
        "B": found * of_data / p["B"],
        "beta": -found * of_data * np.log(v["n_tokens_seen"]),
        "q": found * (total - of_size * size - of_data * data),
    }


def value(p, v):
    """((A / N^alpha)^(1/beta) + (B / D^beta)^(1/beta))^beta. Shapes as in law.py."""
    return np.exp(p["beta"] * _bracket(p, v, p["beta"])[2])


def gradient(p, v):
    """d value / d parameter for each parameter."""
    slopes = _slopes(p, v, p["beta"])
    slopes["beta"] = slopes["beta"] + slopes.pop("q")
    return slopes


def value_floor(p, v):
    """E + the value of Kaplan's law."""
    return p["E"] + value(p, v)


def gradient_floor(p, v):
    """d value / d parameter for each parameter."""
    slopes = gradient(p, v)
    return {"E": np.ones_like(slopes["A"])} | slopes


def value_free(p, v):
    """E + ((A / N^alpha)^(1/q) + (B / D^beta)^(1/q))^q. Shapes as in law.py."""
    return p["E"] + np.exp(p["q"] * _bracket(p, v, p["q"])[2])


def gradient_free(p, v):
    """d value / d parameter for each parameter."""
    slopes = _slopes(p, v, p["q"])
    return {"E": np.ones_like(slopes["A"])} | slopes


def _small_exponent(name, meaning):
    return Parameter(
        name,
        unit="1",
        low=0.005,
        high=2.0,
        start_low=0.04,
        start_high=0.5,
        transform="log",
        meaning=meaning,
    )


TERMS = (
    amplitude(
        "A",
        "value of this size with unlimited tokens, less the floor, times N^alpha",
        ("alpha", inverse("n_params")),
    ),
    _small_exponent("alpha", "exponent over model size"),
    amplitude(
        "B",
        "value of these tokens with an unlimited model, less the floor, times D^beta",
        ("beta", inverse("n_tokens_seen")),
    ),
    _small_exponent("beta", "exponent over tokens"),
)

KAPLAN = Law(
    name="kaplan",
    title="Model size and tokens in one bracket, no floor",
    formula=(
        "value = ((A / n_params^alpha)^(1/beta) + (B /"
        " n_tokens_seen^beta)^(1/beta))^beta"
    ),
    variables=(N_PARAMS, N_TOKENS_SEEN),
    parameters=TERMS,
    value=value,
    gradient=gradient,
    source=SOURCE,
    reduces_to=Reduction(
        "power_floor_tokens",
        parameters={"A": 1e-300},
        variables={},
        other_parameters={"E": 0.0},
    ),
    arm_parameters=("B",),
    rank=40,
)
KAPLAN_FLOOR = Law(
    name="kaplan_floor",
    title="Model size and tokens in one bracket, and a floor",
    formula=(
        "value = E + ((A / n_params^alpha)^(1/beta) + (B /"
        " n_tokens_seen^beta)^(1/beta))^beta"
    ),
    variables=(N_PARAMS, N_TOKENS_SEEN),
    parameters=(floor(), *TERMS),
    value=value_floor,
    gradient=gradient_floor,
    source=f"ours: {SOURCE}, plus a floor",
    reduces_to=Reduction("kaplan", {"E": 0.0}),
    arm_parameters=("E", "B"),
    automatic=("sizes and tokens",),
)
BRACKET = Law(
    name="bracket",
    title="Model size and tokens in a bracket with an exponent of its own, and a floor",
    formula=(
        "value = E + ((A / n_params^alpha)^(1/q) + (B / n_tokens_seen^beta)^(1/q))^q"
    ),
    variables=(N_PARAMS, N_TOKENS_SEEN),
    parameters=(
        *PARAMETERS,
        Parameter(
            "q",
            unit="1",
            low=0.05,
            high=3.0,
            start_low=0.1,
            start_high=1.2,
            transform="log",
            meaning="exponent of the bracket: 1 is a sum, small is the worse of the two terms",
        ),
    ),
    value=value_free,
    gradient=gradient_free,
    source=(
        "ours; between Hoffmann et al. 2022, arXiv 2203.15556 (q = 1), and Kaplan et"
        " al. 2020, arXiv 2001.08361 (q = beta)"
    ),
    reduces_to=Reduction("chinchilla", {"q": 1.0}),
    arm_parameters=("E", "B"),
    automatic=("sizes and tokens",),
)
