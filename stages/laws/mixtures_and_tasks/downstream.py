"""From loss to what a task reports: error, accuracy, BLEU, pass rates, and the inversion to effective size or data."""

import numpy as np

from stages.laws.interface.law import (
    FLOPS,
    N_PARAMS,
    N_TOKENS_SEEN,
    Law,
    Parameter,
    Variable,
    inverse,
)

LOSS = Variable(
    "loss_nats",
    "nats / token",
    "loss on the validation set that the law is tied to",
    typical=(2.5, 5.0),
)
TASK_LOSS = Variable(
    "task_loss",
    "bits / byte",
    "loss on the right answers of the task",
    typical=(0.3, 3.0),
)
GAIN = Parameter(
    "k",
    unit="error",
    low=1e-6,
    high=1e6,
    start_low=0.03,
    start_high=0.15,
    transform="log",
    meaning="size of the gain at no loss",
    relative=True,
    term=(("gamma", lambda v: np.exp(-v["loss_nats"])),),
)


def value_error(p, v):
    """eps - k exp(-gamma L)."""
    return p["eps"] - p["k"] * np.exp(-p["gamma"] * v["loss_nats"])


def value_sigmoid(p, v):
    """top - drop / (1 + exp(-k (x - x0))): falls from top to chance as the task loss rises."""
    slope = np.clip(p["k"] * (v["task_loss"] - p["x0"]), -700.0, 700.0)
    return p["top"] - p["drop"] / (1.0 + np.exp(-slope))


def value_bleu(p, v):
    """(a + alpha log D)^beta; a is the log of the paper's A."""
    return np.exp(
        p["beta"]
        * np.log(np.maximum(p["a"] + p["alpha"] * np.log(v["n_tokens_seen"]), 1e-9))
    )


def value_bleu_from_loss(p, v):
    return p["c"] * np.exp(-p["p"] * np.log(v["loss_nats"]))


def value_pass(p, v):
    """exp(-c / N^alpha)."""
    return np.exp(-p["c"] * np.exp(-p["alpha"] * np.log(v["n_params"])))


def value_subset(p, v):
    """g + (1 - g) exp(-a / C^b - c)."""
    return p["g"] + (1.0 - p["g"]) * np.exp(
        -p["a"] * np.exp(-p["b"] * np.log(v["flops"])) - p["c"]
    )


ERROR_FROM_LOSS = Law(
    name="error_from_loss",
    title="Mean task error from loss",
    formula="value = eps - k exp(-gamma loss_nats)",
    variables=(LOSS,),
    parameters=(
        Parameter(
            "eps",
            unit="error",
            low=0.0,
            high=10.0,
            start_low=1.0,
            start_high=1.6,
            transform="linear",
            meaning="error of a model that knows nothing",
            relative=True,
        ),
        GAIN,
        Parameter(
            "gamma",
            unit="1 / nat",
            low=1e-3,
            high=20.0,
            start_low=0.5,
            start_high=1.5,
            transform="log",
            meaning="how fast loss turns into errors",
        ),
    ),
    value=value_error,
    source=(
        "Gadre et al. 2024, arXiv 2403.08540, eq. 5; tied to one validation set, and to"
        " means over tasks"
    ),
    arm_parameters=("eps",),
    rank=240,
)

ACCURACY_FROM_LOSS = Law(
    name="accuracy_from_loss",
    title="Task accuracy from task loss, sigmoid (second of two steps)",
    formula="value = top - drop / (1 + exp(-k (task_loss - x0)))",
    variables=(TASK_LOSS,),
    parameters=(
        Parameter(
            "top",
            unit="accuracy",
            low=0.0,
            high=1.0,
            start_low=0.6,
            start_high=1.0,
            transform="linear",
            meaning="accuracy at no loss",
        ),
        Parameter(
            "drop",
            unit="accuracy",
            low=1e-6,
            high=1.0,
            start_low=0.2,
            start_high=0.55,
            transform="log",
            meaning="top minus chance",
        ),
        Parameter(
            "k",
            unit="1 / unit of loss",
            low=1e-3,
            high=1e3,
            start_low=1.0,
            start_high=12.0,
            transform="log",
            meaning="steepness",
        ),
        Parameter(
            "x0",
            unit="unit of loss",
            low=1e-3,
            high=100.0,
            start_low=0.4,
            start_high=2.5,
            transform="log",
            meaning="loss half way down",
        ),
    ),
    value=value_sigmoid,
    source=(
        "Bhagia et al. 2024, model ladder, arXiv 2412.04403, step 2, with drop = -a and"
        " top = b"
    ),
    arm_parameters=("top", "drop"),
)

BLEU_FROM_TOKENS = Law(
    name="bleu_from_tokens",
    title="BLEU after fine-tuning, over pre-training tokens",
    formula="value = (a + alpha log n_tokens_seen)^beta, a = log A",
    variables=(N_TOKENS_SEEN,),
    parameters=(
        Parameter(
            "a",
            unit="1",
            low=-60.0,
            high=60.0,
            start_low=-3.0,
            start_high=3.0,
            transform="linear",
            meaning="log of the amplitude",
        ),
        Parameter(
            "alpha",
            unit="1",
            low=1e-3,
            high=10.0,
            start_low=0.2,
            start_high=1.5,
            transform="log",
            meaning="exponent inside the log",
        ),
        Parameter(
            "beta",
            unit="1",
            low=0.02,
            high=6.0,
            start_low=0.5,
            start_high=2.5,
            transform="log",
            meaning="power of the log",
        ),
    ),
    value=value_bleu,
    source=(
        "Isik et al. 2024, Scaling laws for downstream task performance, arXiv"
        " 2402.04177 (second hand), with a = log A"
    ),
    arm_parameters=("a",),
)

BLEU_FROM_LOSS = Law(
    name="bleu_from_loss",
    title="BLEU from loss, for text written in the target language",
    formula="value = c / loss_nats^p",
    variables=(LOSS,),
    parameters=(
        Parameter(
            "c",
            unit="BLEU nats^p",
            low=1e-9,
            high=1e9,
            start_low=0.5,
            start_high=2.0,
            transform="log",
            meaning="BLEU at one nat",
            relative=True,
            term=(("p", inverse("loss_nats")),),
        ),
        Parameter(
            "p",
            unit="1",
            low=0.01,
            high=20.0,
            start_low=0.3,
            start_high=4.0,
            transform="log",
            meaning="exponent over loss",
        ),
    ),
    value=value_bleu_from_loss,
    source=(
        "Ghorbani et al. 2021, arXiv 2109.07740 (second hand); it saturates for text"
        " translated into the source"
    ),
    arm_parameters=("c",),
)

PASS_RATE = Law(
    name="pass_rate",
    title="Probability of passing a task in one try, over model size",
    formula="value = exp(-c / n_params^alpha)",
    variables=(N_PARAMS,),
    parameters=(
        Parameter(
            "c",
            unit="parameters^alpha",
            low=1e-9,
            high=1e3,
            start_low=0.3,
            start_high=5.0,
            transform="log",
            meaning="-log of the pass rate",
            term=(("alpha", inverse("n_params")),),
        ),
        Parameter(
            "alpha",
            unit="1",
            low=0.005,
            high=3.0,
            start_low=0.1,
            start_high=0.9,
            transform="log",
            meaning="exponent over model size",
        ),
    ),
    value=value_pass,
    source=(
        "Hu et al. 2024, Predicting emergent abilities with infinite resolution"
        " evaluation, arXiv 2310.03262 (second hand)"
    ),
    arm_parameters=("c",),
)

SUBSET_SCORE = Law(
    name="subset_score",
    title="Score of one cluster of test items, from chance to a ceiling",
    formula="value = g + (1 - g) exp(-a / flops^b - c)",
    variables=(FLOPS,),
    parameters=(
        Parameter(
            "g",
            unit="score",
            low=0.0,
            high=0.99,
            start_low=0.0,
            start_high=0.4,
            transform="linear",
            meaning="score of guessing",
        ),
        Parameter(
            "a",
            unit="FLOPs^b",
            low=1e-9,
            high=1e3,
            start_low=0.3,
            start_high=5.0,
            transform="log",
            meaning="log distance to the ceiling",
            term=(("b", inverse("flops")),),
        ),
        Parameter(
            "b",
            unit="1",
            low=0.005,
            high=2.0,
            start_low=0.05,
            start_high=0.6,
            transform="log",
            meaning="exponent over compute",
        ),
        Parameter(
            "c",
            unit="1",
            low=0.0,
            high=20.0,
            start_low=0.0,
            start_high=0.5,
            transform="linear",
            meaning="log distance of the ceiling from 1",
        ),
    ),
    value=value_subset,
    source=(
        "Xu et al. 2025, clustering-on-difficulty, arXiv 2502.17262 (second hand); fit"
        " one cluster at a time, map with subset_map"
    ),
    arm_parameters=("g", "c"),
)
