"""Repetition that makes the value rise, first as a power of the repeats and then along their logarithm.

    value = base(N, D) + S ln(1 + x / S),   x = P (R_D N / U)^delta,   R_D = max(D / U - 1, 0)

While x is below S the penalty is the power law of overfit.py; above it the value rises by S delta ln 2 with every
doubling of the epochs. That is what proxies do: from 33 to 262 epochs the held-out loss of a small pool rose by
.26, .32 and .35 nats a doubling, a power law fitted up to 33 epochs said 6.4 in place of 5.5 nats (measured,
benchmarks/README.md). A network that has learnt its runs by heart only grows more certain, and its certainty
grows with the logarithm of the steps (Soudry et al. 2018, arXiv 1710.10345, for separable data).

Variants: `overfit_log` has delta free, `overfit_log_one` and `overfit_log_two` fix it at 1 and 2;
`bracket_log` has Kaplan's bracket (kaplan.py) as its base. S without end gives back `overfit_two`.
"""

from dataclasses import replace

import numpy as np

from stages.laws.interface.law import Law, Parameter, Reduction
from stages.laws.repetition.overfit import (
    PENALTY_ONE,
    PENALTY_TWO,
    VARIABLES,
    params_per_unique_token,
    repeats,
)
from stages.laws.size_and_compute import chinchilla, kaplan

BEND = Parameter(
    "S",
    unit="value",
    low=1e-3,
    high=0.3,
    start_low=0.02,
    start_high=0.28,
    transform="log",
    meaning="penalty at which the power law turns into a logarithm",
    relative=True,
)
# of two or three repeated budgets a free exponent runs away; fitted to more it lies between 1 and 3
DELTA = replace(PENALTY_TWO[1], low=0.5, high=2.5, start_low=0.8, start_high=2.2)
SOURCE = (
    "ours; the power law is the two-parameter form of arXiv 2605.01640, the bend follows"
    " Soudry et al. 2018, arXiv 1710.10345"
)


def bent(p, v, delta):
    """S ln(1 + x / S) and its slopes over P, S and delta. Shapes as in law.py."""
    log_base = np.log(np.maximum(repeats(v) * params_per_unique_token(v), 1e-300))
    power = p["P"] * np.exp(np.minimum(delta * log_base, 600.0))
    ratio = power / p["S"]
    slope = 1.0 / (1.0 + ratio)
    return p["S"] * np.log1p(ratio), {
        "P": slope * power / p["P"],
        "S": np.log1p(ratio) - ratio * slope,
        "delta": slope * power * log_base,
    }


def _fixed(delta: float):
    """Value and gradient with a given exponent over a Chinchilla base."""

    def value(p, v):
        return chinchilla.value(p, v) + bent(p, v, delta)[0]

    def gradient(p, v):
        slopes = bent(p, v, delta)[1]
        return chinchilla.gradient(p, v) | {name: slopes[name] for name in ("P", "S")}

    return {"value": value, "gradient": gradient}


def value(p, v):
    """Chinchilla plus the bent penalty."""
    return chinchilla.value(p, v) + bent(p, v, p["delta"])[0]


def gradient(p, v):
    """d value / d parameter for each parameter."""
    return chinchilla.gradient(p, v) | bent(p, v, p["delta"])[1]


def value_bracket(p, v):
    """Kaplan's bracket with a floor, plus the bent penalty."""
    return kaplan.value_free(p, v) + bent(p, v, p["delta"])[0]


def gradient_bracket(p, v):
    """d value / d parameter for each parameter."""
    return kaplan.gradient_free(p, v) | bent(p, v, p["delta"])[1]


FORM = "S ln(1 + P (R_D N / U)^delta / S); R_D = max(D/U - 1, 0)"

OVERFIT_LOG = Law(
    name="overfit_log",
    title="Model size and tokens, plus a penalty that turns from a power into a logarithm",
    formula=f"value = E + A / N^alpha + B / D^beta + {FORM}",
    variables=VARIABLES,
    parameters=(*chinchilla.PARAMETERS, PENALTY_TWO[0], DELTA, BEND),
    value=value,
    gradient=gradient,
    source=SOURCE,
    reduces_to=Reduction("overfit_two", {"S": 1e12}),
    arm_parameters=("E", "B"),
    automatic=("repeats",),
)
OVERFIT_LOG_ONE = replace(
    OVERFIT_LOG,
    name="overfit_log_one",
    title="Model size and tokens, plus a penalty linear at first, then a logarithm",
    formula=OVERFIT_LOG.formula.replace("^delta", ""),
    parameters=(*chinchilla.PARAMETERS, PENALTY_ONE, BEND),
    reduces_to=Reduction("overfit_one", {"S": 1e12}),
    # measured: of the forms here it carries furthest on three pools and on a published study
    prior_weight=2.0,
    **_fixed(1.0),
)
OVERFIT_LOG_TWO = replace(
    OVERFIT_LOG,
    name="overfit_log_two",
    title="Model size and tokens, plus a penalty quadratic at first, then a logarithm",
    formula=OVERFIT_LOG.formula.replace("^delta", "^2"),
    parameters=(*chinchilla.PARAMETERS, PENALTY_ONE, BEND),
    reduces_to=Reduction("overfit_log", {}, {}, {"delta": 2.0}),
    **_fixed(2.0),
)
BRACKET_LOG = replace(
    OVERFIT_LOG,
    name="bracket_log",
    title="Model size and tokens in a bracket, plus a penalty that turns into a logarithm",
    formula=f"value = E + ((A / N^alpha)^(1/q) + (B / D^beta)^(1/q))^q + {FORM}",
    parameters=(*kaplan.BRACKET.parameters, PENALTY_TWO[0], DELTA, BEND),
    value=value_bracket,
    gradient=gradient_bracket,
    reduces_to=Reduction("overfit_log", {"q": 1.0}),
)
