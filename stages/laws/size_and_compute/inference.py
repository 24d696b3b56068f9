"""Inference: many samples, a verifier that errs, a draft model, and what it costs. Form and fit only.

Fit coverage on the mean over problems and never on one; below 1 it stays for any number of samples.
"""

import numpy as np

from stages.laws.interface.law import N_PARAMS, N_TOKENS_SEEN, Law, Parameter, Variable

SAMPLES = Variable(
    "n_samples", "samples", "answers sampled for a problem", typical=(1.0, 1000.0)
)
DRAFT = Variable(
    "n_params_draft", "parameters", "size of the draft model", typical=(1e6, 1e9)
)
BATCH = Variable(
    "batch_sequences", "sequences", "sequences decoded together", typical=(1.0, 256.0)
)
TOKENS_IN = Variable(
    "tokens_in", "tokens", "tokens of the prompt", typical=(100.0, 1e4)
)
TOKENS_OUT = Variable(
    "tokens_out", "tokens", "tokens of an answer", typical=(100.0, 3e4)
)
KV_WIDTH = Variable(
    "kv_width",
    "elements",
    "keys and values kept for a token, over all layers",
    typical=(1e3, 1e6),
)


def value_coverage(p, v):
    """exp(-a / k^b)."""
    return np.exp(-p["a"] * np.exp(-p["b"] * np.log(v["n_samples"])))


def pass_at_k(n_samples, n_passed, k):
    """Unbiased share of problems passed by at least one of k samples, 1 - C(n - s, k) / C(n, k); mean it over problems.

    >>> round(float(pass_at_k(10, 1, 5)), 3)
    0.5
    """
    n, s, k = np.broadcast_arrays(
        *(np.asarray(x, float) for x in (n_samples, n_passed, k))
    )
    from scipy.special import (
        gammaln,
    )  # here, because it doubles the time to import this package

    enough = n - s >= k
    left = np.where(enough, n - s, k)
    log_miss = (
        gammaln(left + 1) - gammaln(left - k + 1) - gammaln(n + 1) + gammaln(n - k + 1)
    )
    return np.where(enough, -np.expm1(log_miss), 1.0)


def value_verified(p, v):
    """(p / (p + q)) (1 - (1 - p - q)^k): the first answer that the verifier lets through is right."""
    settled = np.minimum(p["right"] + p["wrong"], 1.0 - 1e-12)
    return (
        p["right"]
        / (p["right"] + p["wrong"])
        * -np.expm1(v["n_samples"] * np.log1p(-settled))
    )


def best_tries(p, benefit: float, cost: float) -> float:
    """Tries after which another one is not worth it, for a gain of a right and a loss of a wrong
    answer: inf or 0.

    The chances that the next try settles the matter rightly or wrongly keep their ratio, so the
    sign never changes: try on without end if benefit * right > cost * wrong, and not at all
    otherwise. A price for each try would make it finite.
    """
    return np.inf if benefit * p["right"] > cost * p["wrong"] else 0.0


def value_speculative(p, v):
    """c + d log D + m log N_draft + b log batch."""
    return (
        p["c"]
        + p["d"] * np.log(v["n_tokens_seen"])
        + p["m"] * np.log(v["n_params_draft"])
        + p["s"] * np.log(v["batch_sequences"])
    )


def value_cost(p, v):
    """k L_out (c_N N + c_A W (L_in + L_out / 2))."""
    attention = v["kv_width"] * (v["tokens_in"] + 0.5 * v["tokens_out"])
    return (
        v["n_samples"]
        * v["tokens_out"]
        * (p["c_N"] * v["n_params"] + p["c_A"] * attention)
    )


def _slope(name, start_low, start_high, meaning):
    return Parameter(
        name,
        unit="1",
        low=-1.0,
        high=1.0,
        start_low=start_low,
        start_high=start_high,
        transform="linear",
        meaning=meaning,
    )


COVERAGE = Law(
    name="coverage",
    title="Share of problems solved by at least one of many samples",
    formula="value = exp(-a / n_samples^b)",
    variables=(SAMPLES,),
    parameters=(
        Parameter(
            "a",
            unit="1",
            low=1e-4,
            high=100.0,
            start_low=0.5,
            start_high=4.0,
            transform="log",
            meaning="-log of the coverage of one sample",
        ),
        Parameter(
            "b",
            unit="1",
            low=0.005,
            high=3.0,
            start_low=0.1,
            start_high=0.9,
            transform="log",
            meaning="exponent over samples",
        ),
    ),
    value=value_coverage,
    source=(
        "Brown et al. 2024, Large language monkeys, arXiv 2407.21787 (form second hand)"
    ),
    arm_parameters=("a",),
    rank=260,
)

IMPERFECT_VERIFIER = Law(
    name="imperfect_verifier",
    title="Right answers when samples are drawn until a verifier accepts",
    formula="value = right / (right + wrong) (1 - (1 - right - wrong)^n_samples)",
    variables=(SAMPLES,),
    parameters=(
        Parameter(
            "right",
            unit="chance",
            low=1e-9,
            high=0.999,
            start_low=0.01,
            start_high=0.4,
            transform="log",
            meaning="a sample is right and accepted",
        ),
        Parameter(
            "wrong",
            unit="chance",
            low=1e-9,
            high=0.999,
            start_low=0.005,
            start_high=0.3,
            transform="log",
            meaning="a sample is wrong and accepted",
        ),
    ),
    value=value_verified,
    source=(
        "Stroebl et al. 2024, Inference scaling fLaws, arXiv 2411.17501; the closed"
        " form is derived here"
    ),
    arm_parameters=("right", "wrong"),
)

SPECULATIVE = Law(
    name="speculative_decoding",
    title="Acceptance rate of a draft model",
    formula=(
        "value = c + d log n_tokens_seen + m log n_params_draft + s log batch_sequences"
    ),
    variables=(N_TOKENS_SEEN, DRAFT, BATCH),
    parameters=(
        Parameter(
            "c",
            unit="rate",
            low=-20.0,
            high=20.0,
            start_low=0.1,
            start_high=0.4,
            transform="linear",
            meaning="rate at one of each",
        ),
        _slope("d", 0.002, start_high=0.01, meaning="gain by pre-training tokens"),
        _slope("m", 0.002, start_high=0.01, meaning="gain by draft size"),
        _slope("s", 0.0, start_high=0.01, meaning="change by batch"),
    ),
    value=value_speculative,
    source=(
        "Scaling laws for speculative decoding, arXiv 2505.07858 (form second hand, no"
        " coefficients known)"
    ),
    arm_parameters=("c",),
)

INFERENCE_COST = Law(
    name="inference_cost",
    title="Cost of sampling answers: parameters and attention",
    formula=(
        "value = n_samples tokens_out (c_N n_params + c_A kv_width (tokens_in +"
        " tokens_out / 2))"
    ),
    variables=(N_PARAMS, SAMPLES, TOKENS_IN, TOKENS_OUT, KV_WIDTH),
    parameters=(
        Parameter(
            "c_N",
            unit="FLOPs",
            low=1e-3,
            high=1e3,
            start_low=0.5,
            start_high=8.0,
            transform="log",
            meaning="cost of a parameter for each token",
        ),
        Parameter(
            "c_A",
            unit="FLOPs",
            low=1e-6,
            high=1e6,
            start_low=0.5,
            start_high=300.0,
            transform="log",
            meaning="cost of a kept element for each token, its memory traffic included",
        ),
    ),
    value=value_cost,
    source=(
        "Sadhukhan et al. 2025, Kinetics: rethinking test-time scaling laws, arXiv"
        " 2506.05333 (second hand)"
    ),
    arm_parameters=("c_N",),
)
