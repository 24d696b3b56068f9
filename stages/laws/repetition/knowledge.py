"""Knowledge capacity: how many bits of facts a model holds, by its size and by how often it saw each fact.

value (bits) = min(bits in the data, R_max x / (x + x_half) N),  x exposures of each fact
"""

import numpy as np

from stages.laws.interface.law import N_PARAMS, Law, Parameter, Variable

EXPOSURES = Variable(
    "exposures",
    "times",
    "times that each fact was seen in training",
    typical=(20.0, 5000.0),
)
KNOWLEDGE_BITS = Variable(
    "knowledge_bits", "bits", "bits of facts in the training data", typical=(1e6, 1e10)
)


def bits_per_param(p, exposures):
    """Bits that a parameter holds after so many exposures of each fact."""
    return p["R_max"] * exposures / (exposures + p["x_half"])


def value(p, v):
    """Bits learned: what the data hold or what the model can hold, whichever is less."""
    return np.minimum(
        v["knowledge_bits"], bits_per_param(p, v["exposures"]) * v["n_params"]
    )


def params_needed(p, knowledge_bits, exposures):
    """The smallest model that can hold all of the facts, in parameters."""
    return knowledge_bits / bits_per_param(p, exposures)


KNOWLEDGE_CAPACITY = Law(
    name="knowledge_capacity",
    title="Bits of facts that a model holds",
    formula=(
        "value = min(knowledge_bits, R_max exposures / (exposures + x_half) n_params)"
    ),
    variables=(N_PARAMS, EXPOSURES, KNOWLEDGE_BITS),
    parameters=(
        Parameter(
            "R_max",
            unit="bits / parameter",
            low=1e-3,
            high=64.0,
            start_low=0.5,
            start_high=4.0,
            transform="log",
            meaning="capacity after very many exposures",
        ),
        Parameter(
            "x_half",
            unit="times",
            low=1e-2,
            high=1e6,
            start_low=20.0,
            start_high=500.0,
            transform="log",
            meaning="exposures at which half of it is reached",
        ),
    ),
    value=value,
    source=(
        "Allen-Zhu and Li 2024, Physics of Language Models 3.3, arXiv 2404.05405"
        " (second hand); dependence on exposures ours"
    ),
    arm_parameters=("R_max",),
    rank=150,
)
