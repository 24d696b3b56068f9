"""Ours, in the spirit of InfoLaw: training gathers information, quality sets how dense it is, repeats exhaust it.

    value = E + A / N^alpha + B / I^beta,   I = sum_i e^(q_i) U_i K (1 - exp(-s_i D / (U_i K))),   K = K0 (N / 1e8)^-nu

K is the number of passes after which a pool has given most of what it has; a larger model gets there sooner
(nu > 0). Unlike in the recipe law, pools add up: a small pool of high quality is worth its tokens and no
more. The published formula (arXiv 2605.02364) was not read; nothing here should be taken for it.
"""

from collections.abc import Sequence

import numpy as np

from stages.laws.interface.law import (
    N_PARAMS,
    N_TOKENS_SEEN,
    N_TOKENS_UNIQUE,
    Law,
    Parameter,
    Reduction,
)
from stages.laws.repetition.half_life import pool_tokens, pool_variables
from stages.laws.size_and_compute import chinchilla

REFERENCE_PARAMS = 1e8  # ours: the model size at which K is K0
PASSES = (
    Parameter(
        "K0",
        unit="passes",
        low=0.05,
        high=1e9,
        start_low=2.0,
        start_high=60.0,
        transform="log",
        meaning="passes that exhaust a pool, for 1e8 parameters",
    ),
    Parameter(
        "nu",
        unit="1",
        low=0.0,
        high=2.0,
        start_low=0.0,
        start_high=0.6,
        transform="linear",
        meaning="how much sooner a larger model exhausts it",
    ),
)


def gathered(unique, seen, capacity):
    """U K (1 - exp(-seen / (U K))): information of a pool in tokens of its own; `seen` while it is fresh."""
    whole = unique * capacity
    return -whole * np.expm1(-seen / whole)


def information(pools: Sequence[str] = ()) -> Law:
    """The law for one pool or for named pools, whose density relative to the first is exp(q)."""
    pools = tuple(pools)

    def value(p, v):
        capacity = p["K0"] * np.exp(-p["nu"] * np.log(v["n_params"] / REFERENCE_PARAMS))
        if not pools:
            total = gathered(
                np.minimum(v["n_tokens_unique"], v["n_tokens_seen"]),
                v["n_tokens_seen"],
                capacity,
            )
        else:
            total = sum(
                np.exp(p[f"q_{pool}"] if pool != pools[0] else 0.0)
                * gathered(
                    pool_tokens(v, pool),
                    v[f"share_{pool}"] * v["n_tokens_seen"],
                    capacity,
                )
                for pool in pools
            )
        return chinchilla.value(p, {**v, "n_tokens_seen": total})

    qualities = tuple(
        Parameter(
            f"q_{pool}",
            unit="log tokens",
            low=-12.0,
            high=12.0,
            start_low=-2.0,
            start_high=2.0,
            transform="linear",
            meaning=f"log density of {pool} over {pools[0]}",
        )
        for pool in pools[1:]
    )
    return Law(
        name="information" + ("_mix" if pools else ""),
        title="Information gathered, exhausted sooner by larger models"
        + (", mixture" if pools else ""),
        formula=(
            "value = E + A / N^alpha + B / I^beta; I = sum_i e^(q_i) U_i K (1 -"
            " exp(-s_i D / (U_i K))); K = K0 (N / 1e8)^-nu"
        ),
        variables=(
            N_PARAMS,
            N_TOKENS_SEEN,
            *(pool_variables(pools) or (N_TOKENS_UNIQUE,)),
        ),
        parameters=(*chinchilla.PARAMETERS, *PASSES, *qualities),
        value=value,
        source=(
            "ours, in the spirit of InfoLaw, arXiv 2605.02364 (its formula not read)"
        ),
        reduces_to=None if pools else Reduction("chinchilla", {"K0": 1e15, "nu": 0.0}),
        arm_parameters=("E", "B"),
        rank=140,
    )


INFORMATION = information()
