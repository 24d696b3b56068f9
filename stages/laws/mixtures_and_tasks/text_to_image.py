"""A score that rises as a power law until it is perfect (text to image): value = min(1, A x^a).

The published fits have no ceiling; a score has one. Far from the ceiling the two agree.
"""

import numpy as np

from stages.laws.interface.law import (
    FLOPS,
    N_PARAMS,
    N_TOKENS_SEEN,
    Law,
    Parameter,
    Variable,
)


def rising_score(variable: Variable, name: str) -> Law:
    """The law over one variable: compute, parameters or training examples."""
    x = variable.name

    def value(p, v):
        return np.minimum(1.0, p["A"] * np.exp(p["a"] * np.log(v[x])))

    return Law(
        name=name,
        title=f"Score that rises with {x} up to 1",
        formula=f"value = min(1, A {x}^a)",
        variables=(variable,),
        parameters=(
            Parameter(
                "A",
                unit="score / unit^a",
                low=1e-9,
                high=1e4,
                start_low=0.1,
                start_high=1.0,
                transform="log",
                meaning="score at one unit",
                relative=True,
                term=(("a", lambda v: v[x]),),
            ),
            Parameter(
                "a",
                unit="1",
                low=1e-4,
                high=2.0,
                start_low=0.005,
                start_high=0.2,
                transform="log",
                meaning=f"exponent over {x}",
            ),
        ),
        value=value,
        source=(
            "Li et al. 2024, On the scalability of diffusion-based text-to-image"
            " generation, arXiv 2404.02883 (second hand); cap ours"
        ),
        arm_parameters=("A",),
        rank=70,
    )


SCORE_FLOPS = rising_score(FLOPS, "score_flops")
SCORE_PARAMS = rising_score(N_PARAMS, "score_params")
SCORE_TOKENS = rising_score(N_TOKENS_SEEN, "score_tokens")
