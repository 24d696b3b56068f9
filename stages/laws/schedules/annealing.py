"""The whole loss curve from two sums over the learning-rate schedule (schedule.py makes the columns).

    value = E + A / S1^alpha - C S2

Linear in S2 without bound: it promises gains from ever deeper decay and is off for very short or very long ones
(multi_power.py saturates). Peak rate, batch and the decay of S2 belong to the constants.
"""

import numpy as np

from stages.laws.interface.law import (
    Law,
    Parameter,
    Reduction,
    Variable,
    amplitude,
    exponent,
    floor,
    inverse,
)

LR_AREA = Variable(
    "lr_area",
    "learning rate * steps",
    "sum of the learning rates so far, S1",
    typical=(0.05, 20.0),
)
LR_FALL = Variable(
    "lr_fall",
    "learning rate * steps",
    "momentum-weighted sum of the falls of the rate, S2",
    may_be_zero=True,
    typical=(1e-3, 0.3),
)


def value(p, v):
    return (
        p["E"]
        + p["A"] * np.exp(-p["alpha"] * np.log(v["lr_area"]))
        - p["C"] * v["lr_fall"]
    )


def gradient(p, v):
    """d value / d parameter for each parameter."""
    log_area = np.log(v["lr_area"])
    per_a = np.exp(-p["alpha"] * log_area)
    return {
        "E": np.ones_like(per_a),
        "A": per_a,
        "alpha": -p["A"] * per_a * log_area,
        "C": -v["lr_fall"] * np.ones_like(per_a),
    }


ANNEALING = Law(
    name="annealing",
    title="Loss curve from the learning-rate schedule, linear in its fall",
    formula="value = E + A / lr_area^alpha - C lr_fall",
    variables=(LR_AREA, LR_FALL),
    parameters=(
        floor(),
        amplitude("A", "amplitude over the area", ("alpha", inverse("lr_area"))),
        exponent("alpha", "exponent over the area"),
        Parameter(
            "C",
            unit="value / (learning rate * steps)",
            low=1e-9,
            high=1e6,
            start_low=0.03,
            start_high=0.6,
            transform="log",
            meaning="gain of the fall",
            relative=True,
        ),
    ),
    value=value,
    gradient=gradient,
    source=(
        "Tissue et al. 2024, Scaling law with learning rate annealing, arXiv"
        " 2408.11029, the main law; S2 second hand"
    ),
    reduces_to=Reduction(
        "power_floor_tokens",
        parameters={"C": 1e-300, "alpha": 0.4, "A": 3.0},
        variables={"lr_area": "n_tokens_seen"},
        other_parameters={"B": 3.0, "beta": 0.4},
    ),
    arm_parameters=("E", "A"),
    rank=210,
)
