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
                "score / unit^a",
                1e-9,
                1e4,
                0.1,
                1.0,
                "log",
                "score at one unit",
                relative=True,
                term=(("a", lambda v: v[x]),),
            ),
            Parameter("a", "1", 1e-4, 2.0, 0.005, 0.2, "log", f"exponent over {x}"),
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
