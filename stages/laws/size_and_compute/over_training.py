"""Compute and tokens per parameter: how far a model may be trained past its optimum (Gadre et al. 2024).

    value = E + (a M^eta + b M^-eta) C^-eta,   C = 6 N D,   M = D / N

Put C and M in and it is chinchilla with alpha = beta = 2 eta, A = a 6^-eta, B = b 6^-eta. The authors' code
fits the coefficient of N^-2eta without the 6 and that of (M N)^-2eta with it, so its numbers are not the paper's: see
`from_code`. Trap: runs far below 20 tokens per parameter do not follow the one exponent that the form assumes.
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
)


def _logs(v):
    """log of M^1 C^-1 = 1 / (6 N^2) and of M^-1 C^-1 = 1 / (6 D^2)."""
    return -np.log(6.0) - 2 * np.log(v["n_params"]), -np.log(6.0) - 2 * np.log(
        v["n_tokens_seen"]
    )


def value(p, v):
    by_size, by_data = _logs(v)
    return (
        p["E"]
        + p["a"] * np.exp(p["eta"] * by_size)
        + p["b"] * np.exp(p["eta"] * by_data)
    )


def gradient(p, v):
    """d value / d parameter for each parameter."""
    by_size, by_data = _logs(v)
    size, data = np.exp(p["eta"] * by_size), np.exp(p["eta"] * by_data)
    return {
        "E": np.ones_like(size * data),
        "a": size,
        "b": data,
        "eta": p["a"] * size * by_size + p["b"] * data * by_data,
    }


def optimum(p, flops):
    """Compute-optimal (n_params, n_tokens): M = (b / a)^(1 / (2 eta)) at every budget."""
    n_params = np.sqrt(flops / 6 / (p["b"] / p["a"]) ** (0.5 / p["eta"]))
    return n_params, flops / 6 / n_params


def from_code(a_code: float, b_code: float, power: float) -> dict[str, float]:
    """The paper's a, b, eta from the code's L = a N^p + b 6^(p/2) (M N)^p + E, p < 0.

    >>> from_code(166.21, 366.69, -0.27285)["eta"]
    0.136425
    """
    eta = -power / 2
    return {"a": a_code * 6**eta, "b": b_code, "eta": eta}


OVER_TRAINING = Law(
    name="over_training",
    title="Compute and tokens per parameter, for over-trained models",
    formula=(
        "value = E + (a M^eta + b M^-eta) C^-eta; C = 6 n_params n_tokens_seen, M ="
        " n_tokens_seen / n_params"
    ),
    variables=(N_PARAMS, N_TOKENS_SEEN),
    parameters=(
        floor(),
        amplitude(
            "a",
            "amplitude of the model-size part",
            ("eta", lambda v: 1.0 / (6.0 * v["n_params"] ** 2)),
        ),
        amplitude(
            "b",
            "amplitude of the data part",
            ("eta", lambda v: 1.0 / (6.0 * v["n_tokens_seen"] ** 2)),
        ),
        Parameter(
            "eta",
            unit="1",
            low=0.0025,
            high=1.0,
            start_low=0.05,
            start_high=0.4,
            transform="log",
            meaning="exponent over compute",
        ),
    ),
    value=value,
    gradient=gradient,
    optimum=optimum,
    source=(
        "Gadre et al. 2024, arXiv 2403.08540, eq. 4; the code of the authors differs by"
        " 6^eta, see from_code"
    ),
    reduces_to=Reduction(
        "chinchilla",
        parameters={"eta": 0.15, "a": 130.0, "b": 200.0},
        variables={},
        other_parameters={
            "alpha": 0.3,
            "beta": 0.3,
            "A": 130.0 * 6**-0.15,
            "B": 200.0 * 6**-0.15,
        },
    ),
    arm_parameters=("E", "b"),
    automatic=("sizes and tokens",),
    rank=50,
)
