"""A task in a multilingual mixture as a smaller model of its own (multilingual translation).

    value = E + A / (f(s) N)^alpha,   f(s) = s + c1 s^c2 (1 - s)^c3

f is the effective share of the model: f(0) = 0, f(1) = 1; a sum of f above 1 over the tasks is positive transfer.
Data-rich runs only, there is no token term.
"""

import numpy as np

from stages.laws.interface.law import (
    N_PARAMS,
    Law,
    Parameter,
    amplitude,
    exponent,
    floor,
    inverse,
    power,
    share,
)

TASK_SHARE = share("task", "share of the training examples that are of the task; not 0")
SHAPE = (
    Parameter(
        "c1",
        unit="1",
        low=0.0,
        high=5.0,
        start_low=0.0,
        start_high=1.0,
        transform="linear",
        meaning="size of the transfer from other tasks",
    ),
    Parameter(
        "c2",
        unit="1",
        low=0.05,
        high=5.0,
        start_low=0.2,
        start_high=1.5,
        transform="log",
        meaning="how fast it sets in",
    ),
    Parameter(
        "c3",
        unit="1",
        low=0.05,
        high=5.0,
        start_low=0.3,
        start_high=2.0,
        transform="log",
        meaning="how it fades towards the task alone",
    ),
)


def effective_share(p, part):
    """f(s), in the share of the model that the task has."""
    return part + p["c1"] * power(part, p["c2"]) * power(1.0 - part, p["c3"])


def value(p, v):
    own = np.maximum(effective_share(p, v["share_task"]), 1e-12)
    return p["E"] + p["A"] * np.exp(-p["alpha"] * np.log(own * v["n_params"]))


MULTIPLIER = Law(
    name="multiplier",
    title="A task in a multilingual mixture, by its effective share of the model",
    formula="value = E + A / (f N)^alpha; f = s + c1 s^c2 (1 - s)^c3, s = share_task",
    variables=(N_PARAMS, TASK_SHARE),
    parameters=(
        floor(),
        amplitude(
            "A", "amplitude over model size, task alone", ("alpha", inverse("n_params"))
        ),
        exponent("alpha", "exponent over model size"),
        *SHAPE,
    ),
    value=value,
    source=(
        "Fernandes et al. 2023, Scaling laws for multilingual neural machine"
        " translation, arXiv 2302.09650 (second hand; shape of f unsure)"
    ),
    arm_parameters=("E", "A"),
    rank=180,
)
