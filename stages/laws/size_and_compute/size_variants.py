"""Chinchilla with another idea of size: averaged over training, split off from the vocabulary, encoder and decoder."""

import numpy as np

from stages.laws.interface.law import (
    N_TOKENS_SEEN,
    Law,
    Reduction,
    Variable,
    amplitude,
    exponent,
    floor,
    inverse,
)
from stages.laws.size_and_compute import chinchilla

AVERAGE_PARAMS = Variable(
    "n_params_average",
    "parameters",
    "active parameters averaged over the training tokens",
    typical=(1e6, 1e9),
)
NON_VOCAB = Variable(
    "n_params_non_vocab",
    "parameters",
    "parameters outside the vocabulary",
    typical=(1e6, 1e9),
)
VOCAB = Variable(
    "n_params_vocab", "parameters", "vocabulary size times width", typical=(1e6, 1e8)
)
ENCODER = Variable(
    "n_params_encoder",
    "parameters",
    "non-embedding parameters of the encoder",
    typical=(1e6, 1e9),
)
DECODER = Variable(
    "n_params_decoder",
    "parameters",
    "non-embedding parameters of the decoder",
    typical=(1e6, 1e9),
)


def average_params(n_tokens, n_params) -> float:
    """Mean of N(t) over the training tokens, trapezoids between the points of the path; both (points,), tokens rising.

    >>> average_params([0, 5e9, 10e9], [1e8, 1e8, 5e7])
    87500000.0
    """
    n_tokens, n_params = np.asarray(n_tokens, float), np.asarray(n_params, float)
    return float(np.trapezoid(n_params, n_tokens) / (n_tokens[-1] - n_tokens[0]))


def value_average(p, v):
    return chinchilla.value(p, {**v, "n_params": v["n_params_average"]})


def value_vocabulary(p, v):
    """E + A / N_nv^alpha + A_v / N_v^alpha_v + B / D^alpha."""
    plain = chinchilla.value(
        {**p, "beta": p["alpha"]}, {**v, "n_params": v["n_params_non_vocab"]}
    )
    return plain + p["A_v"] * np.exp(-p["alpha_v"] * np.log(v["n_params_vocab"]))


def value_encoder_decoder(p, v):
    """E + A / (N_e^p_e N_d^p_d)."""
    return p["E"] + p["A"] * np.exp(
        -p["p_e"] * np.log(v["n_params_encoder"])
        - p["p_d"] * np.log(v["n_params_decoder"])
    )


def best_split(p, n_params):
    """(encoder, decoder) parameters of least value for a total of n_params: shares p_e and p_d of their sum."""
    encoder = n_params * p["p_e"] / (p["p_e"] + p["p_d"])
    return encoder, n_params - encoder


AVERAGE_SIZE = Law(
    name="average_params",
    title="Model size averaged over training, for pruned or grown models",
    formula="value = E + A / n_params_average^alpha + B / n_tokens_seen^beta",
    variables=(AVERAGE_PARAMS, N_TOKENS_SEEN),
    parameters=(
        floor(),
        amplitude(
            "A", "amplitude over model size", ("alpha", inverse("n_params_average"))
        ),
        *chinchilla.PARAMETERS[2:],
    ),
    value=value_average,
    source=(
        "Jin et al. 2025, The journey matters: average parameter count over"
        " pre-training, arXiv 2501.12486 (read second hand)"
    ),
    reduces_to=Reduction("chinchilla", {}, {"n_params_average": "n_params"}),
    arm_parameters=("E", "B"),
    rank=60,
)

# value must be positive, the paper's unigram-normalised loss is negative: add the unigram entropy back (E then is that
# entropy minus the paper's E) or any constant; compare vocabularies only at the same constant.
VOCABULARY = Law(
    name="vocabulary",
    title="Vocabulary parameters apart, one exponent for size and tokens",
    formula=(
        "value = E + A / N_nv^alpha + A_v / N_v^alpha_v + B / n_tokens_seen^alpha;"
        " value = unigram-normalised loss + a constant"
    ),
    variables=(NON_VOCAB, VOCAB, N_TOKENS_SEEN),
    parameters=(
        floor(),
        amplitude(
            "A",
            "amplitude over other parameters",
            ("alpha", inverse("n_params_non_vocab")),
        ),
        amplitude(
            "A_v",
            "amplitude over vocabulary parameters",
            ("alpha_v", inverse("n_params_vocab")),
        ),
        amplitude("B", "amplitude over tokens", ("alpha", inverse("n_tokens_seen"))),
        exponent("alpha", "exponent over other parameters and over tokens"),
        exponent("alpha_v", "exponent over vocabulary parameters"),
    ),
    value=value_vocabulary,
    source=(
        "Tao et al. 2024, Scaling laws with vocabulary, arXiv 2407.13623, as in the"
        " authors' code; sign of E ours"
    ),
    reduces_to=Reduction(
        "chinchilla",
        parameters={"A_v": 1e-300, "alpha": 0.3},
        variables={"n_params_non_vocab": "n_params"},
        other_parameters={"beta": 0.3},
    ),
    arm_parameters=("E", "B"),
)

ENCODER_DECODER = Law(
    name="encoder_decoder",
    title="Encoder and decoder size, for translation",
    formula="value = E + A / (n_params_encoder^p_e n_params_decoder^p_d)",
    variables=(ENCODER, DECODER),
    parameters=(
        floor(),
        amplitude(
            "A",
            "amplitude",
            ("p_e", inverse("n_params_encoder")),
            ("p_d", inverse("n_params_decoder")),
        ),
        exponent("p_e", "exponent over the encoder"),
        exponent("p_d", "exponent over the decoder"),
    ),
    value=value_encoder_decoder,
    source=(
        "Ghorbani et al. 2021, Scaling laws for neural machine translation, arXiv"
        " 2109.07740 (second hand), A = a N_e0^p_e N_d0^p_d"
    ),
    arm_parameters=("E", "A"),
)
