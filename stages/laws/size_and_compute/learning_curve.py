"""Whole learning curves: a plateau before the power law, an offset in compute, and curves without a floor.

`three_regions` has the plateau of a model that knows nothing yet, the power law and the floor (Hestness: fit only the
middle, or fit all three). `compute_offset` is the error law of the robust comparison of data sets: the offset bends the
start of the curve. It is meant for the best runs, so take `pareto_front` first. `time_series` has no floor:
likelihoods of series must be shifted to be positive, and curves in and out of distribution fitted apart.
"""

import numpy as np

from stages.laws.interface.law import (
    FLOPS,
    N_TOKENS_SEEN,
    Law,
    Parameter,
    Reduction,
    amplitude,
    exponent,
    floor,
    inverse,
)


def value_three_regions(p, v):
    """E + the harmonic sum of the plateau G and the power law B / D^beta."""
    return p["E"] + 1.0 / (
        1.0 / p["G"] + np.exp(p["beta"] * np.log(v["n_tokens_seen"])) / p["B"]
    )


def value_offset(p, v):
    return p["E"] + p["A"] * np.exp(-p["alpha"] * np.log(v["flops"] + p["C0"]))


def value_time_series(p, v):
    return p["B"] * np.exp(-p["beta"] * np.log(v["n_tokens_seen"]))


def pareto_front(flops, values, bins_per_octave: int = 1) -> np.ndarray:
    """Indices of the runs on the lower envelope: the best of each compute bin, then only those better than all before.

    The best of many noisy runs is too good, the more so where there are more: compare arms with equal numbers of runs.
    """
    flops, values = np.asarray(flops, float), np.asarray(values, float)
    bins = np.floor(np.log2(flops / flops.min()) * bins_per_octave + 1e-9).astype(int)
    best = [
        np.flatnonzero(bins == b)[np.argmin(values[bins == b])] for b in np.unique(bins)
    ]
    front, lowest = [], np.inf
    for i in best:
        if values[i] < lowest:
            front.append(i)
            lowest = values[i]
    return np.array(front)


THREE_REGIONS = Law(
    name="three_regions",
    title="Plateau, power law and floor over tokens",
    formula="value = E + 1 / (1 / G + n_tokens_seen^beta / B)",
    variables=(N_TOKENS_SEEN,),
    parameters=(
        floor(),
        Parameter(
            "G",
            unit="value",
            low=1e-6,
            high=1e6,
            start_low=0.3,
            start_high=5.0,
            transform="log",
            meaning="plateau of the best guess, above the floor",
            relative=True,
        ),
        amplitude("B", "amplitude over tokens", ("beta", inverse("n_tokens_seen"))),
        exponent("beta", "exponent over tokens"),
    ),
    value=value_three_regions,
    source=(
        "three regions of Hestness et al. 2017, arXiv 1712.00409; the harmonic sum is"
        " ours"
    ),
    reduces_to=Reduction("power_floor_tokens", {"G": 1e30}),
    arm_parameters=("E", "B"),
    rank=20,
)

COMPUTE_OFFSET = Law(
    name="compute_offset",
    title="Error over compute with an offset, for comparing data sets",
    formula="value = E + A (flops + C0)^-alpha",
    variables=(FLOPS,),
    parameters=(
        floor(),
        amplitude("A", "amplitude over compute", ("alpha", inverse("flops"))),
        exponent("alpha", "exponent over compute"),
        Parameter(
            "C0",
            unit="FLOPs",
            low=1e-6,
            high=1e30,
            start_low=1e5,
            start_high=1e19,
            transform="log",
            meaning="compute below which the curve bends to a plateau",
        ),
    ),
    value=value_offset,
    source=(
        "Nezhurina et al. 2025, Scaling laws for robust comparison of open foundation"
        " models, arXiv 2506.04598, as in the authors' code"
    ),
    reduces_to=Reduction("power_floor", {"C0": 1e-30}),
    arm_parameters=("E", "A"),
    automatic=(
        "sizes and tokens",
        "compute alone",
    ),  # bends to a plateau, as error rates do
)

TIME_SERIES = Law(
    name="time_series",
    title="Power law over tokens without a floor, for time series",
    formula="value = B / n_tokens_seen^beta",
    variables=(N_TOKENS_SEEN,),
    parameters=(
        amplitude("B", "amplitude over tokens", ("beta", inverse("n_tokens_seen"))),
        exponent("beta", "exponent over tokens"),
    ),
    value=value_time_series,
    source=(
        "Yao et al. 2024, Towards neural scaling laws for time series foundation"
        " models, arXiv 2410.12360 (second hand), B = x_c^beta"
    ),
    reduces_to=Reduction(
        "power_floor_tokens", parameters={}, variables={}, other_parameters={"E": 0.0}
    ),
    arm_parameters=("B",),
)
