"""Utility of a token that halves every tau passes over its pool (Goyal et al. 2024).

Paper form, one pool, n_j tokens seen at the end of pass j, the last pass may be partial:
    value = E + B * n_1^-beta * prod_{j>=2} (n_j / n_{j-1})^-(beta (1/2)^((j-1)/tau))
The letters are those of the other laws: E, B, beta are the paper's d, a, -b. Unequal shares, which the paper
leaves open, are ours: a pool of U_i tokens with share s_i of the mix is passed once every U_i / s_i
tokens of the mix, and the exponent at a moment is the share-weighted mean of beta_i (1/2)^((k_i-1)/tau_i).

The authors' code differs and is kept apart (`half_life_code*`): passes are over the union, `a` multiplies the
tokens inside the power, and in the utility form the floor is added BEFORE the product over passes, so the
value can fall below d. Cost of a value: (points x passes) products; past 64 passes they go in 2 % steps.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from stages.laws.interface.law import (
    N_PARAMS,
    N_TOKENS_SEEN,
    N_TOKENS_UNIQUE,
    Law,
    Parameter,
    Reduction,
    Variable,
    amplitude,
    exponent,
    floor,
    inverse,
    share,
)

CODE_SAMPLES = 1e5  # cited: the normaliser of the authors' code (locuslab/scaling_laws_data_filtering)
EXACT_PASSES = 64  # ours: below this every pass is one term; the 2 % steps beyond change log value by < 1e-5 (tested)


@lru_cache(maxsize=64)
def pass_ends(n_passes: int) -> np.ndarray:
    """Last pass of each block of passes: 1, 2, ... 64, then steps of 2 %. Shape (blocks,)."""
    ends = list(range(1, min(n_passes, EXACT_PASSES) + 1))
    while ends[-1] < n_passes:
        ends.append(max(ends[-1] + 1, round(ends[-1] * 1.02)))
    return np.array(ends, dtype=float)


def passes(seen, unique):
    """Blocks of passes: tokens seen at the end of each, shape (points, blocks), and the age of each, (blocks,).

    The age is the number of passes before the block (its mean, for a block of several).
    """
    ends = pass_ends(int(np.ceil(min(np.max(seen / unique), 1e7) - 1e-9)) or 1)
    starts = np.concatenate([[0.0], ends[:-1]])
    return (
        np.minimum(unique[..., None] * ends, seen[..., None]),
        (starts + ends - 1.0) / 2,
    )


def log_steps(seen_by_pass):
    """log n_1, then log(n_j / n_{j-1}). Shape (points, blocks)."""
    log_seen = np.log(seen_by_pass)
    return np.concatenate([log_seen[..., :1], np.diff(log_seen, axis=-1)], axis=-1)


def worth(tau, age):
    """(1/2)^(age / tau): parameters (..., 1) or (..., points) against ages (blocks,) -> (..., blocks)."""
    return np.exp(-np.log(2.0) * age / np.asarray(tau)[..., None])


def weighted_sum(weights, steps):
    """Sum over blocks of weights (..., 1 or points, blocks) * steps (points, blocks) -> (..., points)."""
    if weights.ndim > 1 and weights.shape[-2] == 1:
        # einsum, not @: threaded BLAS on a busy machine takes 20 times longer (measured), einsum loops alone
        return np.einsum("...j,nj->...n", weights[..., 0, :], steps)
    return np.sum(weights * steps, axis=-1)


def utility(beta, tau, seen, unique):
    """-log of the data term of one pool: beta * (log n_1 + sum of decayed log steps). Shape (..., points)."""
    seen, unique = (
        np.atleast_1d(np.asarray(seen, float)),
        np.atleast_1d(np.asarray(unique, float)),
    )
    by_pass, age = passes(seen, np.minimum(unique, seen))
    return beta * weighted_sum(worth(tau, age), log_steps(by_pass))


def _data_term(pools):
    """Function (p, v) -> B * product over pools and passes."""

    def single(p, v):
        return p["B"] * np.exp(
            -utility(p["beta"], p["tau"], v["n_tokens_seen"], v["n_tokens_unique"])
        )

    def mixed(p, v):
        total = 0.0
        for pool in pools:
            part = np.maximum(v[f"share_{pool}"], 1e-12)
            own = utility(
                p[f"beta_{pool}"],
                p[f"tau_{pool}"],
                v["n_tokens_seen"],
                v[f"unique_{pool}"] / part,
            )
            total = total + part * own
        return p["B"] * np.exp(-total)

    return mixed if pools else single


def _pool_parameters(pools):
    """beta and tau of each pool."""
    return tuple(
        parameter
        for pool in pools or [""]
        for parameter in (
            exponent(f"beta_{pool}" if pool else "beta", "utility of a new token"),
            Parameter(
                f"tau_{pool}" if pool else "tau",
                "passes",
                0.05,
                1e4,
                1.0,
                30.0,
                "log",
                "passes after which the utility has halved",
            ),
        )
    )


def pool_variables(pools):
    return tuple(
        variable
        for pool in pools
        for variable in (
            share(pool, f"share of the tokens seen that come from {pool}"),
            Variable(
                f"unique_{pool}",
                "tokens",
                f"different tokens in {pool}",
                typical=(1e6, 1e9),
            ),
        )
    )


def _per_token(pools):
    """The quantities whose powers make up the data term of the first pass, for the centring of `B`."""
    if not pools:
        return (("beta", inverse("n_tokens_seen")),)
    return tuple(
        (f"beta_{pool}", lambda v, s=f"share_{pool}": v["n_tokens_seen"] ** -v[s])
        for pool in pools
    )


def half_life(pools: Sequence[str] = (), sized: bool = False) -> Law:
    """The paper's law for one pool (no names) or for a mixture of named pools; `sized` adds A / N^alpha.

    A mixture reads share_<pool> and unique_<pool>; one pool reads n_tokens_unique."""
    pools, data_term = tuple(pools), _data_term(tuple(pools))
    size = (
        (
            amplitude("A", "amplitude over model size", ("alpha", inverse("n_params"))),
            exponent("alpha", "exponent over model size"),
        )
        if sized
        else ()
    )

    def value(p, v):
        size_term = (
            p["A"] * np.exp(-p["alpha"] * np.log(v["n_params"])) if sized else 0.0
        )
        return p["E"] + size_term + data_term(p, v)

    own = pool_variables(pools) or (N_TOKENS_UNIQUE,)
    return Law(
        name="half_life" + ("_sized" if sized else "") + ("_mix" if pools else ""),
        title="Utility of repeats halves every tau passes"
        + (", with model size" if sized else "")
        + (", mixture" if pools else ""),
        formula="value = E "
        + ("+ A / N^alpha " if sized else "")
        + ("+ B exp(-sum_i s_i beta_i S_i)" if pools else "+ B exp(-beta S)")
        + "; S = log n_1 + sum_{j>=2} (1/2)^((j-1)/tau) log(n_j / n_{j-1})"
        + (", passes over U_i / s_i" if pools else ""),
        variables=((N_PARAMS,) if sized else ()) + (N_TOKENS_SEEN, *own),
        parameters=(
            floor(),
            *size,
            amplitude("B", "amplitude over tokens", *_per_token(pools)),
            *_pool_parameters(pools),
        ),
        value=value,
        source="Goyal et al. 2024, arXiv 2404.07177, eq. 3"
        + ("; unequal shares ours" if pools else "")
        + ("; size term ours" if sized else ""),
        reduces_to=(
            None
            if pools
            else Reduction(
                *(
                    ("chinchilla" if sized else "power_floor_tokens"),
                    {},
                    {"n_tokens_unique": "n_tokens_seen"},
                )
            )
        ),
        arm_parameters=("E", "B") if pools else ("E", "beta", "tau"),
        rank=110,
    )


def _shares(pools, v):
    return [v[f"share_{pool}"] for pool in pools] if pools else [1.0]


def _mean_exponents(p, v, pools, age, per_repeat):
    """Exponent of each pass over the union, (..., points, blocks), and the mean worth of its tokens.

    Utility form: the mean of beta_i w_i. Data form (per_repeat): sum(beta_i w_i) / sum(w_i), tokens worth mean(w_i).
    """
    weights, decays = [], []
    for pool, part in zip(pools or [""], _shares(pools, v), strict=True):
        decay = np.asarray(part)[..., None] * worth(
            p[f"tau_{pool}" if pool else "tau"], age
        )
        decays.append(decay)
        weights.append(
            np.asarray(p[f"beta_{pool}" if pool else "beta"])[..., None] * decay
        )
    mean_worth = sum(decays)
    return (sum(weights) / mean_worth if per_repeat else sum(weights)), mean_worth


def half_life_code(pools: Sequence[str] = (), form: str = "utility") -> Law:
    """The authors' code, passes over the union of the pools. form: 'utility' (floor inside) or 'data'."""
    pools, data_form = tuple(pools), form == "data"

    def value(p, v):
        seen = np.atleast_1d(np.asarray(v["n_tokens_seen"], float))
        unique = np.atleast_1d(np.asarray(v["n_tokens_unique"], float))
        by_pass, age = passes(seen, np.minimum(unique, seen))
        # in the utility form d may lie far above the values seen, because the product over passes lowers it
        scaled = np.asarray(p["a"])[..., None] * by_pass / CODE_SAMPLES
        exponents, mean_worth = _mean_exponents(p, v, pools, age, data_form)
        if data_form:
            scaled = np.cumsum(
                np.diff(scaled, axis=-1, prepend=0.0) * mean_worth, axis=-1
            )
        terms = exponents * log_steps(scaled)
        first = np.exp(-terms[..., 0])
        repeats = np.exp(-np.sum(terms[..., 1:], axis=-1))
        return first * repeats + p["d"] if data_form else (first + p["d"]) * repeats

    shares = tuple(x for x in pool_variables(pools) if x.name.startswith("share_"))
    return Law(
        name="half_life_code"
        + ("_data" if data_form else "")
        + ("_mix" if pools else ""),
        title=f"Half-life law as coded by its authors, {form} form"
        + (", mixture" if pools else ""),
        formula=(
            "value = d + prod_k (m_k / m_{k-1})^-beta_k, m_k = a sum of decayed tokens"
            " / 1e5"
            if data_form
            else (
                "value = ((a n_1 / 1e5)^-beta + d) prod_{k>=2} (n_k / n_{k-1})^-(beta"
                " (1/2)^((k-1)/tau))"
            )
        ),
        variables=(N_TOKENS_SEEN, N_TOKENS_UNIQUE, *shares),
        parameters=(
            floor("d") if data_form else replace(floor("d"), high=20.0),
            Parameter(
                "a",
                "1 / 1e5 tokens",
                1e-12,
                1e6,
                0.005,
                1.0,
                "log",
                "scale of tokens inside the power",
            ),
            *_pool_parameters(pools),
        ),
        value=value,
        source=(
            "authors' code of arXiv 2404.07177, repository"
            " locuslab/scaling_laws_data_filtering, objective.py"
        ),
        arm_parameters=("beta", "tau") if not pools else ("d",),
    )


HALF_LIFE = half_life()
HALF_LIFE_SIZED = half_life(sized=True)
HALF_LIFE_CODE = half_life_code()
HALF_LIFE_CODE_DATA = half_life_code(form="data")
