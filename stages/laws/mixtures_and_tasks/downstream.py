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
    "error",
    1e-6,
    1e6,
    0.03,
    0.15,
    "log",
    "size of the gain at no loss",
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
            "error",
            0.0,
            10.0,
            1.0,
            1.6,
            "linear",
            "error of a model that knows nothing",
            relative=True,
        ),
        GAIN,
        Parameter(
            "gamma",
            "1 / nat",
            1e-3,
            20.0,
            0.5,
            1.5,
            "log",
            "how fast loss turns into errors",
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
            "top", "accuracy", 0.0, 1.0, 0.6, 1.0, "linear", "accuracy at no loss"
        ),
        Parameter("drop", "accuracy", 1e-6, 1.0, 0.2, 0.55, "log", "top minus chance"),
        Parameter("k", "1 / unit of loss", 1e-3, 1e3, 1.0, 12.0, "log", "steepness"),
        Parameter(
            "x0", "unit of loss", 1e-3, 100.0, 0.4, 2.5, "log", "loss half way down"
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
        Parameter("a", "1", -60.0, 60.0, -3.0, 3.0, "linear", "log of the amplitude"),
        Parameter("alpha", "1", 1e-3, 10.0, 0.2, 1.5, "log", "exponent inside the log"),
        Parameter("beta", "1", 0.02, 6.0, 0.5, 2.5, "log", "power of the log"),
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
            "BLEU nats^p",
            1e-9,
            1e9,
            0.5,
            2.0,
            "log",
            "BLEU at one nat",
            relative=True,
            term=(("p", inverse("loss_nats")),),
        ),
        Parameter("p", "1", 0.01, 20.0, 0.3, 4.0, "log", "exponent over loss"),
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
            "parameters^alpha",
            1e-9,
            1e3,
            0.3,
            5.0,
            "log",
            "-log of the pass rate",
            term=(("alpha", inverse("n_params")),),
        ),
        Parameter(
            "alpha", "1", 0.005, 3.0, 0.1, 0.9, "log", "exponent over model size"
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
        Parameter("g", "score", 0.0, 0.99, 0.0, 0.4, "linear", "score of guessing"),
        Parameter(
            "a",
            "FLOPs^b",
            1e-9,
            1e3,
            0.3,
            5.0,
            "log",
            "log distance to the ceiling",
            term=(("b", inverse("flops")),),
        ),
        Parameter("b", "1", 0.005, 2.0, 0.05, 0.6, "log", "exponent over compute"),
        Parameter(
            "c",
            "1",
            0.0,
            20.0,
            0.0,
            0.5,
            "linear",
            "log distance of the ceiling from 1",
        ),
    ),
    value=value_subset,
    source=(
        "Xu et al. 2025, clustering-on-difficulty, arXiv 2502.17262 (second hand); fit"
        " one cluster at a time, map with subset_map"
    ),
    arm_parameters=("g", "c"),
)
