"""Other axes of a model, form and fit only: mixtures of experts, parallel streams, floating-point
training, quantisation, growth.

None of these was checked on runs here; constants that were only remembered appear as starting
ranges and nowhere else.
"""

import numpy as np

from stages.laws.interface.law import (
    FLOPS,
    N_PARAMS,
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
from stages.laws.size_and_compute import chinchilla

ACTIVATION = Variable(
    "activation_ratio", "fraction", "active over total experts", typical=(0.01, 0.5)
)
GRANULARITY = Variable(
    "granularity", "1", "2 * model width / expert width", typical=(2.0, 32.0)
)
STREAMS = Variable(
    "n_streams",
    "streams",
    "parallel streams through the same weights",
    typical=(1.0, 16.0),
)
EXPONENT_BITS = Variable(
    "exponent_bits", "bits", "exponent bits of the format", typical=(1.0, 8.0)
)
MANTISSA_BITS = Variable(
    "mantissa_bits",
    "bits",
    "mantissa bits of the format",
    may_be_zero=True,
    typical=(1.0, 10.0),
)
BLOCK_SIZE = Variable(
    "block_size",
    "elements",
    "elements that share a scale, above 1",
    typical=(16.0, 1024.0),
)
BITS = Variable(
    "weight_bits", "bits", "bits a weight after quantisation", typical=(2.0, 8.0)
)


def saturated_activation(p, activation):
    """A-hat of the leverage law: the activation ratio, held above A_start and below A_max."""
    return 1.0 / (
        1.0 / (activation + 1.0 / (1.0 / p["A_start"] - 1.0 / p["A_max"]))
        + 1.0 / p["A_max"]
    )


def value_leverage(p, v):
    """A-hat^(a + d log10 C + g (log2 G)^2 + b log2 G)."""
    grain = np.log2(v["granularity"])
    power = p["a"] + p["d"] * np.log10(v["flops"]) + p["g"] * grain**2 + p["b"] * grain
    return np.exp(power * np.log(saturated_activation(p, v["activation_ratio"])))


def value_streams(p, v):
    """E + A / (N (k ln P + 1))^alpha."""
    return p["E"] + p["A"] * np.exp(
        -p["alpha"] * np.log(v["n_params"] * (p["k"] * np.log(v["n_streams"]) + 1.0))
    )


def _noise_per_ratio(p, v):
    """What multiplies D^beta / N^alpha in the cost of low precision."""
    bits = np.exp(
        -p["delta"] * np.log(v["exponent_bits"] + 0.5)
        - p["nu"] * np.log(v["mantissa_bits"] + 0.5)
    )
    return p["Q"] * np.log2(v["block_size"]) * bits


def value_float_training(p, v):
    ratio = np.exp(
        p["beta"] * np.log(v["n_tokens_seen"]) - p["alpha"] * np.log(v["n_params"])
    )
    return chinchilla.value(p, v) + ratio * _noise_per_ratio(p, v)


def critical_tokens(p, v):
    """Tokens past which more of them raise the value at this precision: (B N^alpha / noise)^(1 / (2 beta))."""
    return np.exp(
        (
            np.log(p["B"])
            + p["alpha"] * np.log(v["n_params"])
            - np.log(_noise_per_ratio(p, v))
        )
        / (2 * p["beta"])
    )


def best_mantissa(p, total_bits):
    """Mantissa bits (not rounded) of least value when exponent and mantissa share total_bits."""
    return p["nu"] * (total_bits + 1.0) / (p["delta"] + p["nu"]) - 0.5


def value_quantised(p, v):
    """k D^b / (N^a P^g): what post-training quantisation adds to the loss."""
    return p["k"] * np.exp(
        p["b"] * np.log(v["n_tokens_seen"])
        - p["a"] * np.log(v["n_params"])
        - p["g"] * np.log(v["weight_bits"])
    )


def value_growth(p, v):
    """10^(a log10 N + b / log10 C + c): tokens before the model is stacked."""
    return np.exp(
        np.log(10.0)
        * (p["a"] * np.log10(v["n_params"]) + p["b"] / np.log10(v["flops"]) + p["c"])
    )


def _signed(name, low, high, start_low, start_high, meaning):
    return Parameter(
        name,
        unit="1",
        low=low,
        high=high,
        start_low=start_low,
        start_high=start_high,
        transform="linear",
        meaning=meaning,
    )


EFFICIENCY_LEVERAGE = Law(
    name="efficiency_leverage",
    title="Dense compute over expert-mixture compute at equal loss",
    formula=(
        "value = A^(a + d log10 flops + g (log2 G)^2 + b log2 G); 1/A = 1 / (activation"
        " + 1 / (1/A_start - 1/A_max)) + 1 / A_max"
    ),
    variables=(ACTIVATION, GRANULARITY, FLOPS),
    parameters=(
        _signed(
            "a",
            -5.0,
            high=5.0,
            start_low=0.5,
            start_high=2.0,
            meaning="power at one FLOP",
        ),
        _signed(
            "d",
            -1.0,
            high=1.0,
            start_low=-0.12,
            start_high=-0.04,
            meaning="change of the power for ten times the compute",
        ),
        _signed(
            "g",
            -0.5,
            high=0.5,
            start_low=0.005,
            start_high=0.03,
            meaning="curvature over granularity",
        ),
        _signed(
            "b",
            -2.0,
            high=2.0,
            start_low=-0.25,
            start_high=-0.05,
            meaning="slope over granularity",
        ),
        Parameter(
            "A_start",
            unit="fraction",
            low=1e-6,
            high=0.9,
            start_low=0.005,
            start_high=0.05,
            transform="log",
            meaning="activation below which nothing is gained",
        ),
        Parameter(
            "A_max",
            unit="fraction",
            low=1.0,
            high=1e20,
            start_low=1e2,
            start_high=1e17,
            transform="log",
            meaning="activation above which nothing is lost",
        ),
    ),
    value=value_leverage,
    source=(
        "Tian et al. 2025, Towards greater leverage, arXiv 2507.17702; log bases not"
        " stated there, 10 and 2 reproduce its figures"
    ),
    arm_parameters=("a",),
    rank=250,
)

PARALLEL_STREAMS = Law(
    name="parallel_streams",
    title="Model size with parallel streams",
    formula="value = E + A / (n_params (k ln n_streams + 1))^alpha",
    variables=(N_PARAMS, STREAMS),
    parameters=(
        floor(),
        amplitude("A", "amplitude over model size", ("alpha", inverse("n_params"))),
        exponent("alpha", "exponent over model size"),
        Parameter(
            "k",
            unit="1",
            low=1e-4,
            high=100.0,
            start_low=0.1,
            start_high=1.0,
            transform="log",
            meaning="worth of e times the streams, in parameters",
        ),
    ),
    value=value_streams,
    source=(
        "Chen et al. 2025, Parallel scaling law for language models, arXiv 2505.10475"
        " (second hand)"
    ),
    reduces_to=Reduction("power_floor_params", {"k": 1e-300}),
    arm_parameters=("E", "A"),
)

FLOAT_TRAINING = Law(
    name="float_training",
    title="Training in few floating-point bits",
    formula=(
        "value = E + A / N^alpha + B / D^beta + Q (D^beta / N^alpha) log2(block_size) /"
        " ((exponent_bits + .5)^delta (mantissa_bits + .5)^nu)"
    ),
    variables=(N_PARAMS, N_TOKENS_SEEN, EXPONENT_BITS, MANTISSA_BITS, BLOCK_SIZE),
    parameters=(
        *chinchilla.PARAMETERS,
        Parameter(
            "Q",
            unit="value",
            low=1e-12,
            high=1e4,
            start_low=1e-3,
            start_high=0.1,
            transform="log",
            meaning="cost of one-bit formats at D^beta = N^alpha",
            relative=True,
            term=(
                ("beta", lambda v: v["n_tokens_seen"]),
                ("alpha", inverse("n_params")),
            ),
        ),
        Parameter(
            "delta",
            unit="1",
            low=0.05,
            high=10.0,
            start_low=0.5,
            start_high=4.0,
            transform="log",
            meaning="exponent over exponent bits",
        ),
        Parameter(
            "nu",
            unit="1",
            low=0.05,
            high=10.0,
            start_low=0.5,
            start_high=4.0,
            transform="log",
            meaning="exponent over mantissa bits",
        ),
    ),
    value=value_float_training,
    source=(
        "Sun et al. 2025, Scaling laws for floating-point quantization training, arXiv"
        " 2501.02423 (second hand), with Q = 1 / gamma"
    ),
    reduces_to=Reduction("chinchilla", {"Q": 1e-300}),
    arm_parameters=("E", "B"),
)

POST_TRAINING_QUANTISATION = Law(
    name="post_training_quantisation",
    title="Loss added by quantising after training",
    formula="value = k n_tokens_seen^b / (n_params^a weight_bits^g)",
    variables=(N_PARAMS, N_TOKENS_SEEN, BITS),
    parameters=(
        Parameter(
            "k",
            unit="value",
            low=1e-9,
            high=1e6,
            start_low=0.2,
            start_high=3.0,
            transform="log",
            meaning="scale",
            relative=True,
            term=(
                ("b", lambda v: v["n_tokens_seen"]),
                ("a", inverse("n_params")),
                ("g", inverse("weight_bits")),
            ),
        ),
        Parameter(
            "b",
            unit="1",
            low=0.005,
            high=2.0,
            start_low=0.2,
            start_high=0.9,
            transform="log",
            meaning="exponent over tokens",
        ),
        exponent("a", "exponent over model size"),
        Parameter(
            "g",
            unit="1",
            low=0.1,
            high=20.0,
            start_low=2.0,
            start_high=8.0,
            transform="log",
            meaning="exponent over bits",
        ),
    ),
    value=value_quantised,
    source=(
        "Ouyang et al. 2024, Low-bit quantization favors undertrained LLMs, arXiv"
        " 2411.17691 (second hand)"
    ),
    arm_parameters=("k",),
)

GROWTH_TIMING = Law(
    name="growth_timing",
    title="Tokens to train a small model before stacking it",
    formula="log10 value = a log10 n_params + b / log10 flops + c",
    variables=(N_PARAMS, FLOPS),
    parameters=(
        _signed(
            "a",
            -3.0,
            high=3.0,
            start_low=0.5,
            start_high=1.2,
            meaning="slope over log size",
        ),
        _signed(
            "b",
            -1000.0,
            high=1000.0,
            start_low=100.0,
            start_high=220.0,
            meaning="weight of 1 / log10 compute",
        ),
        _signed(
            "c",
            -60.0,
            high=60.0,
            start_low=-9.0,
            start_high=-3.0,
            meaning="offset in decades",
        ),
    ),
    value=value_growth,
    source="Du et al. 2024, Stacking your transformers, arXiv 2405.15319 (second hand)",
    arm_parameters=("c",),
)
