"""Utility of a token that halves every tau passes over its pool (Goyal et al. 2024).

Paper form, one pool, n_j tokens seen at the end of pass j, the last pass may be partial:
    value = E + B * n_1^-beta * prod_{j>=2} (n_j / n_{j-1})^-(beta (1/2)^((j-1)/tau))
The letters are those of the other laws: E, B, beta are the paper's d, a, -b. Unequal shares, which the paper
leaves open, are ours: a pool of U_i tokens with share s_i of the mix is passed once every U_i / s_i
tokens of the mix, and the exponent at a moment is the share-weighted mean of beta_i (1/2)^((k_i-1)/tau_i).

The authors' code differs and is kept apart (half_life_code.py). Cost of a value: (points x passes) products; past 64
passes they go in 2 % steps.
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
from stages.laws.repetition.pass_sums import between_nodes

OVER_TIERS = (
    "half_life_mix"  # made for the tiers of a pool, so it is not in the library
)
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
    seen, unique = np.broadcast_arrays(
        np.atleast_1d(np.asarray(seen, float)), np.atleast_1d(np.asarray(unique, float))
    )
    return beta * between_nodes(tau, seen, np.minimum(unique, seen), _log_tokens)


def _log_tokens(tau, seen, unique):
    """log n_1 and the decayed log steps after it. Shape (..., points)."""
    by_pass, age = passes(seen, unique)
    return weighted_sum(worth(tau, age), log_steps(by_pass))


def stepped_tokens(tau, seen, unique):
    """Effective tokens when a pass is worth (1/2)^((pass - 1) / tau). Shape (..., points)."""
    seen, unique = np.broadcast_arrays(
        np.atleast_1d(np.asarray(seen, float)), np.atleast_1d(np.asarray(unique, float))
    )
    return np.exp(between_nodes(tau, seen, np.minimum(unique, seen), _log_stepped))


def _log_stepped(tau, seen, unique):
    """log of the tokens of all passes, each times its worth. Shape (..., points)."""
    by_pass, age = passes(seen, unique)
    new = np.diff(by_pass, axis=-1, prepend=0.0)
    return np.log(weighted_sum(worth(tau, age), new))


def _one_pool(p, v):
    """B * product over the passes of one pool. Shapes as in law.py."""
    seen, unique = v["n_tokens_seen"], v["n_tokens_unique"]
    return p["B"] * np.exp(-utility(p["beta"], p["tau"], seen=seen, unique=unique))


def _mixed_pools(pools):
    """Function (p, v) -> B * product over pools and passes."""

    def data_term(p, v):
        total = 0.0
        for pool in pools:
            part = np.maximum(v[f"share_{pool}"], 1e-12)
            unique = pool_tokens(v, pool) / part
            beta, tau = p[f"beta_{pool}"], p[f"tau_{pool}"]
            total = total + part * utility(
                beta, tau, seen=v["n_tokens_seen"], unique=unique
            )
        return p["B"] * np.exp(-total)

    return data_term


def endings(pools):
    """What the names of a pool's parameters end in; nothing for the only one."""
    return [f"_{pool}" for pool in pools] or [""]


def pool_parameters(pools):
    """beta and tau of each pool; without names those of the only one."""
    return tuple(
        parameter
        for ending in endings(pools)
        for parameter in (
            exponent(f"beta{ending}", "utility of a new token"),
            Parameter(
                f"tau{ending}",
                "passes",
                low=0.05,
                high=1e4,
                start_low=1.0,
                start_high=30.0,
                transform="log",
                meaning="passes after which the utility has halved",
            ),
        )
    )


def pool_tokens(v, pool):
    """Different tokens of a pool, at least one: an unused pool may have none."""
    return np.maximum(v[f"unique_{pool}"], 1.0)


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
                may_be_zero=True,
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


STEPS = "S = log n_1 + sum_{j>=2} (1/2)^((j-1)/tau) log(n_j / n_{j-1})"
SEEN_ONCE = {"n_tokens_unique": "n_tokens_seen"}


def half_life(pools: Sequence[str] = (), sized: bool = False) -> Law:
    """The paper's law for one pool (no names) or for a mixture of named pools; `sized` adds A / N^alpha.

    A mixture reads share_<pool> and unique_<pool>; one pool reads n_tokens_unique."""
    if pools:
        return _paper_mixture(tuple(pools), sized)
    return _paper_sized() if sized else _paper()


def _paper() -> Law:
    """One pool."""
    return Law(
        name="half_life",
        title="Utility of repeats halves every tau passes",
        formula=f"value = E + B exp(-beta S); {STEPS}",
        variables=(N_TOKENS_SEEN, N_TOKENS_UNIQUE),
        parameters=(
            floor(),
            amplitude("B", "amplitude over tokens", *_per_token(())),
            *pool_parameters(()),
        ),
        value=_with_floor(_one_pool),
        source="Goyal et al. 2024, arXiv 2404.07177, eq. 3",
        reduces_to=Reduction("power_floor_tokens", variables=SEEN_ONCE),
        arm_parameters=("E", "beta", "tau"),
        automatic=("repeats of one size",),
        rank=110,
    )


def _paper_sized() -> Law:
    """One pool, with model size."""
    law = _with_size(_paper(), _one_pool)
    return replace(
        law,
        name="half_life_sized",
        title=f"{law.title}, with model size",
        automatic=(),
        reduces_to=Reduction("chinchilla", variables=SEEN_ONCE),
    )


def _paper_mixture(pools: tuple[str, ...], sized: bool) -> Law:
    """Named pools, with model size or without."""
    one, data_term = _paper(), _mixed_pools(pools)
    law = replace(
        one,
        name=OVER_TIERS,
        title=f"{one.title}, mixture",
        formula=(
            f"value = E + B exp(-sum_i s_i beta_i S_i); {STEPS}, passes over U_i / s_i"
        ),
        variables=(N_TOKENS_SEEN, *pool_variables(pools)),
        parameters=(
            floor(),
            amplitude("B", "amplitude over tokens", *_per_token(pools)),
            *pool_parameters(pools),
        ),
        value=_with_floor(data_term),
        source=f"{one.source}; unequal shares ours",
        reduces_to=None,
        arm_parameters=("E", "B"),
        automatic=(),
    )
    if not sized:
        return law
    return replace(
        _with_size(law, data_term),
        name="half_life_sized_mix",
        title=f"{one.title}, with model size, mixture",
    )


def _with_floor(data_term):
    """Function (p, v) -> floor and data term."""

    def value(p, v):
        return p["E"] + data_term(p, v)

    return value


def _with_size(law: Law, data_term) -> Law:
    """The same law with A / N^alpha between its floor and its data term."""

    def value(p, v):
        size_term = p["A"] * np.exp(-p["alpha"] * np.log(v["n_params"]))
        return p["E"] + size_term + data_term(p, v)

    own_floor, *others = law.parameters
    return replace(
        law,
        formula=law.formula.replace("value = E ", "value = E + A / N^alpha "),
        variables=(N_PARAMS, *law.variables),
        parameters=(
            own_floor,
            amplitude("A", "amplitude over model size", ("alpha", inverse("n_params"))),
            exponent("alpha", "exponent over model size"),
            *others,
        ),
        value=value,
        source=f"{law.source}; size term ours",
    )


HALF_LIFE = half_life()
HALF_LIFE_SIZED = half_life(sized=True)
