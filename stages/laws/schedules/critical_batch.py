"""Loss along training at any batch size: steps, batch and the critical batch that itself depends on
the loss.

    value = A / N^alpha + B / S_min^beta,   S_min = S / (1 + B_crit / batch),   B_crit = B_star / value^(1/alpha_B)

The value stands on both sides; the right side falls as it rises, so the solution is the only one.
In the log of the value, value less right side is concave and rises, so that Newton from A / N^alpha
below comes to it without a step too far. Training at batch = B_crit takes twice the fewest steps and
twice the least data. Leave the warm-up out; the schedule must not be the limit; without a floor the
law says too little loss far away. Order of a careful fit: A, alpha from converged runs; B_star, alpha_B
from contours of equal loss; B, beta last.
"""

import numpy as np

from stages.laws.interface.law import (
    N_PARAMS,
    Law,
    Parameter,
    Reduction,
    Variable,
    amplitude,
    inverse,
)

N_STEPS = Variable(
    "n_steps", "steps", "optimiser steps after warm-up", typical=(1e3, 1e5)
)
BATCH = Variable("batch_tokens", "tokens", "tokens of one step", typical=(1e4, 1e7))
NEWTON_STEPS = (
    10  # measured: the last two change nothing over the whole range of starts
)


def _right_side(log_value, p, v, size):
    """A / N^alpha + the step term at a trial value, and its slope over the log of the value."""
    log_ratio = (
        np.log(p["B_star"]) - np.log(v["batch_tokens"]) - log_value / p["alpha_B"]
    )
    # beyond, a trial of a fit is hopeless but must stay a number
    batch_ratio = np.exp(np.minimum(log_ratio, 300.0))
    steps = p["B"] * np.exp(p["beta"] * (np.log1p(batch_ratio) - np.log(v["n_steps"])))
    return (
        size + steps,
        -steps * p["beta"] * batch_ratio / (1.0 + batch_ratio) / p["alpha_B"],
        batch_ratio,
    )


def value(p, v):
    """The solution. Shapes as in law.py."""
    size = p["A"] * np.exp(-p["alpha"] * np.log(v["n_params"]))
    found = np.log(np.maximum(size, 1e-290))
    for _ in range(NEWTON_STEPS):
        right, slope, _ = _right_side(found, p, v=v, size=size)
        found = found - (found - np.log(right)) / (1.0 - slope / right)
    return np.exp(found)


def gradient(p, v):
    """d value / d parameter by the implicit function theorem."""
    found = value(p, v)
    log_value, log_steps = np.log(found), np.log(v["n_steps"])
    per_a = np.exp(-p["alpha"] * np.log(v["n_params"]))
    right, slope, ratio = _right_side(log_value, p, v=v, size=p["A"] * per_a)
    steps = right - p["A"] * per_a
    share = ratio / (1.0 + ratio)
    direct = {
        "A": per_a,
        "alpha": -p["A"] * per_a * np.log(v["n_params"]),
        "B": steps / p["B"],
        "beta": steps * (np.log1p(ratio) - log_steps),
        "B_star": steps * p["beta"] * share / p["B_star"],
        "alpha_B": steps * p["beta"] * share * log_value / p["alpha_B"] ** 2,
    }
    return {name: part / (1.0 - slope / found) for name, part in direct.items()}


def critical_batch(p, loss):
    """Batch in tokens at which a step and a token are worth the same."""
    return p["B_star"] * np.power(loss, -1.0 / p["alpha_B"])


CRITICAL_BATCH = Law(
    name="critical_batch",
    title="Loss over model size, steps and batch, with the critical batch",
    formula=(
        "value = A / N^alpha + B ((1 + B_crit / batch_tokens) / n_steps)^beta; B_crit ="
        " B_star / value^(1/alpha_B)"
    ),
    variables=(N_PARAMS, N_STEPS, BATCH),
    parameters=(
        amplitude("A", "amplitude over model size", ("alpha", inverse("n_params"))),
        Parameter(
            "alpha",
            unit="1",
            low=0.005,
            high=2.0,
            start_low=0.05,
            start_high=0.5,
            transform="log",
            meaning="exponent over model size",
        ),
        amplitude(
            "B", "amplitude over steps at unlimited batch", ("beta", inverse("n_steps"))
        ),
        Parameter(
            "beta",
            unit="1",
            low=0.02,
            high=2.0,
            start_low=0.2,
            start_high=0.9,
            transform="log",
            meaning="exponent over steps",
        ),
        Parameter(
            "B_star",
            unit="tokens",
            low=1.0,
            high=1e15,
            start_low=1e6,
            start_high=1e9,
            transform="log",
            meaning="critical batch at a value of 1",
        ),
        Parameter(
            "alpha_B",
            unit="1",
            low=0.02,
            high=10.0,
            start_low=0.1,
            start_high=0.6,
            transform="log",
            meaning="the critical batch goes as value^(-1/alpha_B)",
        ),
    ),
    value=value,
    gradient=gradient,
    source=(
        "Su et al. 2024, Unraveling the mystery of scaling laws I, arXiv 2403.06563,"
        " with B = S_c^alpha_S; Kaplan et al. 2020, eq. 1.6 (second hand)"
    ),
    reduces_to=Reduction(
        "chinchilla",
        parameters={"B_star": 1e-300},
        variables={"n_steps": "n_tokens_seen"},
        other_parameters={"E": 0.0},
    ),
    arm_parameters=("B",),
    rank=200,
)
