"""Learning curves of pruned sets, one for each kept fraction, and their lower envelope.

    value = E + B f^-phi / D^(beta - nu log f),   D tokens (or examples) trained on, f the kept fraction

At f = 1 it is the unpruned power law with a floor; nu > 0 says that harder pruning learns faster
per kept example, phi > 0 that it starts worse. Where both hold the curves cross and the best
fraction falls with D: `envelope` reads it off. Fractions may also be fitted apart, as arms of
power_floor_tokens; this form needs fewer runs. D counts what is trained on: at a fixed pool of U
examples f U is all there is, and more passes are repetition (recipe law), not data.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from stages.foundation.errors import InputError
from stages.laws.interface.law import (
    N_TOKENS_SEEN,
    Law,
    Parameter,
    Reduction,
    Variable,
    amplitude,
    exponent,
    floor,
    inverse,
)

KEEP = Variable(
    "keep_fraction", "fraction", "share of the pool that was kept", typical=(0.1, 1.0)
)


def value(p, v):
    log_keep, log_tokens = np.log(v["keep_fraction"]), np.log(v["n_tokens_seen"])
    return p["E"] + p["B"] * np.exp(
        -p["phi"] * log_keep - (p["beta"] - p["nu"] * log_keep) * log_tokens
    )


def gradient(p, v):
    """d value / d parameter for each parameter."""
    log_keep, log_tokens = np.log(v["keep_fraction"]), np.log(v["n_tokens_seen"])
    per_b = np.exp(-p["phi"] * log_keep - (p["beta"] - p["nu"] * log_keep) * log_tokens)
    term = p["B"] * per_b
    return {
        "E": np.ones_like(per_b),
        "B": per_b,
        "beta": -term * log_tokens,
        "phi": -term * log_keep,
        "nu": term * log_keep * log_tokens,
    }


@dataclass(frozen=True)
class Envelope:
    """Best fraction at each budget of kept examples and its value, both (budgets,), and where the
    best fraction changes.
    """

    keep: np.ndarray
    values: np.ndarray
    # (budget, fraction before, fraction after)
    switches: list[tuple[float, float, float]]


def envelope(
    curve: Callable[[float, np.ndarray], np.ndarray], keeps: Sequence[float], budgets
) -> Envelope:
    """Lower envelope of curves: curve(keep, budgets) -> values (budgets,), such as a fit, or the
    theory of perceptron.py.

    >>> def curve(keep, n):
    ...     return keep**-2 / n ** (0.5 - 0.3 * np.log(keep))
    >>> found = envelope(curve, (0.5, 1.0), [1e1, 1e2, 1e4])
    >>> found.keep.tolist(), found.switches
    ([1.0, 1.0, 0.5], [(10000.0, 1.0, 0.5)])
    """
    budgets = np.asarray(budgets, float)
    if len(keeps) < 1 or np.any(np.diff(budgets) <= 0):
        raise InputError("an envelope needs at least one fraction and rising budgets")
    values = np.stack(
        [np.broadcast_to(curve(keep, budgets), budgets.shape) for keep in keeps]
    )
    best = values.argmin(axis=0)
    switches = [
        (float(budgets[i + 1]), float(keeps[best[i]]), float(keeps[best[i + 1]]))
        for i in np.flatnonzero(np.diff(best))
    ]
    return Envelope(np.asarray(keeps, float)[best], values.min(axis=0), switches)


PRUNING_CURVE = Law(
    name="pruning_curve",
    title="Learning curves of pruned sets over the kept fraction",
    formula="value = E + B f^-phi / n_tokens_seen^(beta - nu log f); f = keep_fraction",
    variables=(N_TOKENS_SEEN, KEEP),
    parameters=(
        floor(),
        amplitude(
            "B",
            "amplitude over tokens of the whole pool",
            ("beta", inverse("n_tokens_seen")),
        ),
        exponent("beta", "exponent over tokens of the whole pool"),
        Parameter(
            "phi",
            unit="1",
            low=-5.0,
            high=5.0,
            start_low=0.0,
            start_high=1.0,
            transform="linear",
            meaning="how much worse a harder set starts",
        ),
        Parameter(
            "nu",
            unit="1",
            low=-0.5,
            high=0.5,
            start_low=0.0,
            start_high=0.06,
            transform="linear",
            meaning="gain of the exponent for each factor e of pruning",
        ),
    ),
    value=value,
    gradient=gradient,
    source=(
        "ours, for the fraction-wise curves of Sorscher et al. 2022, arXiv 2206.14486"
    ),
    reduces_to=Reduction("power_floor_tokens", {"phi": 0.0, "nu": 0.0}),
    arm_parameters=("E", "B"),
    rank=190,
)
