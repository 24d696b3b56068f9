"""A score that is a straight line in the logs of data and size, with no floor: fine-tuned and downstream scores.

    value = a - b log(D) - c log(N)

natural logs; b and c may have either sign, so an accuracy that rises is as welcome as an error that
falls. D counts tokens, or examples where the table has those. Trap: a line has no end. Far beyond the
runs it passes 0, or 1 of an accuracy; `compare` and `fit` say how far a budget lies beyond them.
"""

import numpy as np

from stages.laws.interface.law import (
    FLOPS,
    N_PARAMS,
    N_TOKENS_SEEN,
    Law,
    Parameter,
    Table,
    Variable,
)

# ours: the value at a log of 0, as multiples of the median value; far from all runs
LEVEL = Parameter(
    "a",
    unit="value",
    low=-300.0,
    high=300.0,
    start_low=4.0,
    start_high=6.0,
    transform="linear",
    meaning="value where every log is 0",
    relative=True,
)


def _slope(name: str, variable: str) -> Parameter:
    """Fall of the value for each e-fold; bounds are multiples of the median value."""
    return Parameter(
        name,
        unit="value",
        low=-5.0,
        high=5.0,
        start_low=0.01,
        start_high=0.05,
        transform="linear",
        meaning=f"fall for each e-fold of {variable}",
        relative=True,
    )


def _law(
    *slopes: tuple[str, Variable],
    name: str,
    title: str,
    automatic: tuple[Table, ...],
) -> Law:
    """The law over some variables, each with the name of its slope."""

    def logs(v):
        return {b: np.log(v[x.name]) for b, x in slopes}

    def value(p, v):
        return p["a"] - sum(p[b] * log for b, log in logs(v).items())

    def gradient(p, v):
        found = logs(v)
        one = np.ones_like(next(iter(found.values())))
        return {"a": one} | {b: -log for b, log in found.items()}

    said = " - ".join(f"{b} log({x.name})" for b, x in slopes)
    return Law(
        name=name,
        title=title,
        formula=f"value = a - {said}",
        variables=tuple(x for _, x in slopes),
        parameters=(LEVEL, *(_slope(b, x.name) for b, x in slopes)),
        value=value,
        gradient=gradient,
        source=(
            "the semi-log line of learning curves, as in Figueroa et al. 2012,"
            " doi 10.1186/1472-6947-12-8; size term ours"
        ),
        arm_parameters=("a", slopes[0][0]),
        automatic=automatic,
        rank=12,
    )


LOG_LINEAR = _law(
    ("b", N_TOKENS_SEEN),
    ("c", N_PARAMS),
    name="log_linear",
    title="Straight line in the logs of tokens and size",
    automatic=("sizes and tokens",),
)
LOG_LINEAR_TOKENS = _law(
    ("b", N_TOKENS_SEEN),
    name="log_linear_tokens",
    title="Straight line in the log of tokens or examples",
    automatic=("tokens alone",),
)
LOG_LINEAR_COMPUTE = _law(
    ("b", FLOPS),
    name="log_linear_compute",
    title="Straight line in the log of compute",
    automatic=("compute alone",),
)
