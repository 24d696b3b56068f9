"""Learning rate and batch size from model size and tokens (step law), from batch and tokens (power
scheduler).

    lr = k N^-a D^b,   batch_tokens = k D^b
    lr = batch k T^-b      (power scheduler: the ratio lr / batch is what is stable)

`value` is the best learning rate or batch itself. Published constants differ by optimiser, schedule
(step law: cosine to a FIXED final rate) and by what N counts, and a refit of the published table
gives others; optima are flat, so judge a rule by the loss that it costs (`regret`) and not by its
exponents.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stages.foundation.errors import InputError
from stages.laws.interface.law import (
    N_PARAMS,
    N_TOKENS_SEEN,
    Law,
    Parameter,
    Variable,
    inverse,
)

BATCH_SEQUENCES = Variable(
    "batch_sequences", "sequences", "sequences of one step", typical=(16.0, 4096.0)
)
NEAR = 0.0025  # cited: authors' filter, runs within .25 % of the least loss of their size and length
RISE = Parameter(
    "b",
    unit="1",
    low=1e-3,
    high=2.0,
    start_low=0.1,
    start_high=0.8,
    transform="log",
    meaning="exponent over tokens",
)


def _scale(unit: str, *term) -> Parameter:
    return Parameter(
        "k",
        unit=unit,
        low=1e-6,
        high=1e6,
        start_low=0.3,
        start_high=3.0,
        transform="log",
        meaning="scale",
        relative=True,
        term=term,
    )


def value_lr(p, v):
    return p["k"] * np.exp(
        -p["a"] * np.log(v["n_params"]) + p["b"] * np.log(v["n_tokens_seen"])
    )


def value_batch(p, v):
    return p["k"] * np.exp(p["b"] * np.log(v["n_tokens_seen"]))


def value_power(p, v):
    return p["k"] * v["batch_sequences"] * np.exp(-p["b"] * np.log(v["n_tokens_seen"]))


@dataclass(frozen=True)
class Training:
    """Learning rate and batch for one run, and by how many decades it lies outside of the runs behind the rule."""

    lr: float
    batch_tokens: float
    n_steps: float
    beyond_decades: float


# Cited: mean of the authors' 1,000 bootstrap fits (arXiv 2503.04715): exp(.58631), exp(-.54354);
# AdamW, cosine to a fixed 1e-5.
PUBLISHED_LR = {"k": 1.7973, "a": 0.71292, "b": 0.30749}
PUBLISHED_BATCH = {"k": 0.58069, "b": 0.57094}
# cited: the released dense runs
STUDIED = {"n_params": (2.15e8, 1.07e9), "n_tokens_seen": (4e9, 1e11)}


def published_training(n_params: float, n_tokens: float) -> Training:
    """The published step law at one size and length; N without embeddings.

    >>> round(published_training(7e9, 1.4e12).lr, 7)
    0.0009347
    """
    run = {"n_params": np.array(n_params), "n_tokens_seen": np.array(n_tokens)}
    lr, batch = (
        float(value_lr(PUBLISHED_LR, run)),
        float(value_batch(PUBLISHED_BATCH, run)),
    )
    beyond = max(
        max(np.log10(float(run[name]) / high), np.log10(low / float(run[name])), 0.0)
        for name, (low, high) in STUDIED.items()
    )
    return Training(
        lr, batch_tokens=batch, n_steps=n_tokens / batch, beyond_decades=float(beyond)
    )


def near_best(loss, cell, threshold: float = NEAR) -> np.ndarray:
    """True for the runs within `threshold` of the least loss of their cell (a size and a length), (runs,)."""
    loss, cell = np.asarray(loss, float), np.asarray(cell)
    index = np.unique(cell, return_inverse=True)[1]
    least = np.full(index.max() + 1, np.inf)
    np.minimum.at(least, index, loss)
    return loss <= least[index] * (1 + threshold)


def regret(cell: Mapping[str, np.ndarray], lr: float, batch_tokens: float) -> float:
    """Loss of a recommendation over the least loss of its cell, minus 1, interpolated between the runs of the cell.

    cell: columns lr, batch_tokens, loss of the runs of one size and length. Linear in the logs over runs below 1.1
    times the least; a recommendation outside of them counts as its nearest run.
    """
    from scipy.interpolate import (
        LinearNDInterpolator,
        NearestNDInterpolator,
    )  # here, because it doubles the time to import this package

    loss = np.asarray(cell["loss"], float)
    good = loss < 1.1 * loss.min()
    points = np.log(
        np.stack(
            [np.asarray(cell["lr"], float), np.asarray(cell["batch_tokens"], float)],
            axis=1,
        )
    )[good]
    if good.sum() < 4:
        raise InputError(
            f"only {good.sum()} runs lie within 10 % of the best; a surface needs at"
            " least 4"
        )
    at = np.log([[lr, batch_tokens]])
    found = LinearNDInterpolator(points, loss[good])(at)[0]
    if np.isnan(found):
        found = NearestNDInterpolator(points, loss[good])(at)[0]
    return float(found / loss.min() - 1)


STEP_LAW_LR = Law(
    name="step_law_lr",
    title="Best learning rate from model size and tokens",
    formula="value = k n_tokens_seen^b / n_params^a",
    variables=(N_PARAMS, N_TOKENS_SEEN),
    parameters=(
        _scale(
            "learning rate",
            ("a", inverse("n_params")),
            ("b", lambda v: v["n_tokens_seen"]),
        ),
        Parameter(
            "a",
            unit="1",
            low=1e-3,
            high=3.0,
            start_low=0.2,
            start_high=1.2,
            transform="log",
            meaning="exponent over model size",
        ),
        RISE,
    ),
    value=value_lr,
    source=(
        "Li et al. 2025, Predictable scale I: step law, arXiv 2503.04715, the law as in"
        " the authors' tool; N without embeddings"
    ),
    arm_parameters=("k",),
    rank=230,
)

STEP_LAW_BATCH = Law(
    name="step_law_batch",
    title="Best batch from tokens",
    formula="value = k n_tokens_seen^b",
    variables=(N_TOKENS_SEEN,),
    parameters=(_scale("tokens", ("b", lambda v: v["n_tokens_seen"])), RISE),
    value=value_batch,
    source=(
        "Li et al. 2025, Predictable scale I: step law, arXiv 2503.04715, the law as in"
        " the authors' tool; batch in tokens, not sequences"
    ),
    arm_parameters=("k",),
)

POWER_SCHEDULER = Law(
    name="power_scheduler",
    title="Learning rate from batch and tokens so far",
    formula="value = k batch_sequences / n_tokens_seen^b",
    variables=(BATCH_SEQUENCES, N_TOKENS_SEEN),
    parameters=(
        _scale("learning rate / sequence", ("b", inverse("n_tokens_seen"))),
        Parameter(
            "b",
            unit="1",
            low=1e-3,
            high=2.0,
            start_low=0.2,
            start_high=0.8,
            transform="log",
            meaning="exponent over tokens so far",
        ),
    ),
    value=value_power,
    source=(
        "Shen et al. 2024, Power scheduler, arXiv 2408.13359 (second hand; exponent"
        " near 1/2 only with muP)"
    ),
    arm_parameters=("k",),
)
