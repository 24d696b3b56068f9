"""Our recipe-aware law: model size, tokens, and for each pool its share, its unique tokens and its
quality.

    value = E + A / N'^alpha + B exp(-sum_i s_i (q_i + beta_i l_i))
              + P sum_i s_i R_i^delta (s_i N / U_i)^kappa
    l_i = (1 - theta) S_i + theta log D'_i,   R_i = max(s_i D / U_i - 1, 0)

A pool of U_i tokens with share s_i is passed once every U_i / s_i tokens of the mix; on that clock
S_i is the log of the tokens with a utility that halves every tau_i passes (half_life.py) and D'_i
the effective tokens with R_D* = tau_i / ln 2 (data_constrained.py). Both say that repeats fade, the
first in what a token adds to log(data), the second in how many tokens it counts for; theta between
0 and 1 lets the data choose. Repeats fade sooner in a larger model, tau_i (N / 1e8)^-nu (the claim
of InfoLaw, in our form). q_i is the quality of a pool, a gain of the data term that no repetition
takes away; the q of the first pool is 0, because shares add up to 1 and q + constant is the same
law with another B. The last term lets repetition harm, and more so in a large model.

Limits, each tested: chinchilla, data_constrained, half_life (one pool and mixture), overfit,
overfit_data_constrained, exponential_mix. A pool cut in two at random is the same data, and the law
says so (tested). Twelve unknowns for one pool are more than most tables carry: fix some
(`fixed=SPARE`, nine left) or share beta and tau over pools. Cost: with theta fixed at 1 that of
data_constrained, else ten times more (measured).
"""

from collections.abc import Sequence

import numpy as np

from stages.laws.interface.law import (
    N_PARAMS,
    N_TOKENS_SEEN,
    N_TOKENS_UNIQUE,
    Law,
    Parameter,
    Reduction,
    amplitude,
    exponent,
    floor,
    inverse,
)
from stages.laws.repetition import data_constrained, overfit
from stages.laws.repetition.half_life import pool_tokens, pool_variables, utility
from stages.laws.repetition.information import REFERENCE_PARAMS

TAU_STEP = 1e-4  # assumed: of log tau; truncation and rounding both below 1e-8
# ours: count tokens, leave excess parameters to the last term
SPARE = {"theta": 1.0, "R_N_star": 1e12}
THETA = Parameter(
    "theta",
    unit="1",
    low=0.0,
    high=1.0,
    start_low=0.05,
    start_high=0.95,
    transform="linear",
    meaning="0: the utility of repeats fades; 1: their count fades",
)
SOONER = Parameter(
    "nu",
    unit="1",
    low=0.0,
    high=2.0,
    start_low=0.0,
    start_high=0.6,
    transform="linear",
    meaning="how much sooner repeats fade in a larger model",
)


def _own(name, pool, pools, shared):
    """Name of a parameter of a pool: beta_web, or beta where there is one pool or the parameter is shared."""
    return f"{name}_{pool}" if pools and name not in shared else name


def log_tokens(tau, theta, seen, unique):
    """l of one pool on its own clock: between the half-life sum and the log of the effective tokens. (..., points)"""
    unique = np.minimum(unique, seen)
    counted = np.log(
        data_constrained.decayed(unique, seen / unique - 1.0, tau / np.log(2.0))
    )
    if np.all(theta == 1.0):
        return counted
    return (1.0 - theta) * utility(1.0, tau, seen=seen, unique=unique) + theta * counted


def _pools_of(pools, p, v, shared):
    """For each pool: share, unique tokens, and its q, beta and tau."""
    for i, pool in enumerate(pools or ("",)):
        part = np.maximum(v[f"share_{pool}"], 1e-12) if pools else 1.0
        unique = pool_tokens(v, pool) if pools else v["n_tokens_unique"]
        yield (
            part,
            unique,
            (p[f"q_{pool}"] if i else 0.0),
            p[_own("beta", pool, pools=pools, shared=shared)],
            p[_own("tau", pool, pools=pools, shared=shared)],
        )


def _value(pools, shared):
    def value(p, v):
        seen = np.atleast_1d(np.asarray(v["n_tokens_seen"], float))
        sooner = np.exp(-p["nu"] * np.log(v["n_params"] / REFERENCE_PARAMS))
        gain, mean_beta, mean_q, unique_seen, harm = 0.0, 0.0, 0.0, 0.0, 0.0
        for part, unique, q, beta, tau in _pools_of(pools, p, v=v, shared=shared):
            gain = gain + part * beta * log_tokens(
                tau * sooner, p["theta"], seen=seen, unique=unique / part
            )
            mean_beta, mean_q = mean_beta + part * beta, mean_q + part * q
            unique_seen = unique_seen + np.minimum(unique, part * seen)
            own = {
                "n_params": v["n_params"],
                "n_tokens_seen": seen,
                "n_tokens_unique": unique / part,
            }
            harm = harm + part * overfit.penalty(p, own)
        like_one_pool = {**p, "B": p["B"] * np.exp(-mean_q), "beta": mean_beta}
        size = data_constrained.effective_params(
            like_one_pool,
            {
                "n_params": v["n_params"],
                "n_tokens_seen": seen,
                "n_tokens_unique": unique_seen,
            },
        )
        return (
            p["E"]
            + p["A"] * np.exp(-p["alpha"] * np.log(size))
            + p["B"] * np.exp(-mean_q - gain)
            + harm
        )

    return value


def _gradient(pools, shared):
    """d value / d parameter; over a half-life by a difference of the one sum that it enters."""

    def gradient(p, v):
        seen = np.atleast_1d(np.asarray(v["n_tokens_seen"], float))
        log_size = np.log(v["n_params"] / REFERENCE_PARAMS)
        sooner = np.exp(-p["nu"] * log_size)
        theta = p["theta"]
        gain, mean_beta, mean_q, unique_seen = 0.0, 0.0, 0.0, 0.0
        # d gain / d parameter, summed over the pools that share it
        by_gain: dict[str, np.ndarray | float] = {"theta": 0.0, "nu": 0.0}
        by_harm: dict[str, np.ndarray | float] = {"P": 0.0, "delta": 0.0, "kappa": 0.0}
        shares: dict[str, np.ndarray] = {}
        for i, (part, unique, q, beta, tau) in enumerate(
            _pools_of(pools, p, v=v, shared=shared)
        ):
            pool = pools[i] if pools else ""
            own = {
                "n_params": v["n_params"],
                "n_tokens_seen": seen,
                "n_tokens_unique": unique / part,
            }
            at = tau * sooner
            worths = {"seen": seen, "unique": unique / part}
            low, high = (
                log_tokens(at * np.exp(step), theta, **worths)
                for step in (-TAU_STEP, TAU_STEP)
            )
            by_log_tau = part * beta * (high - low) / (2 * TAU_STEP)
            tokens = log_tokens(at, theta, **worths)
            counted = log_tokens(at, np.ones(1), **worths)
            faded = utility(1.0, at, seen=seen, unique=unique / part)
            gain = gain + part * beta * tokens
            mean_beta, mean_q = mean_beta + part * beta, mean_q + part * q
            unique_seen = unique_seen + np.minimum(unique, part * seen)
            beta_name = _own("beta", pool, pools=pools, shared=shared)
            tau_name = _own("tau", pool, pools=pools, shared=shared)
            by_gain[beta_name] = by_gain.get(beta_name, 0.0) + part * tokens
            by_gain[tau_name] = by_gain.get(tau_name, 0.0) + by_log_tau / tau
            by_gain["theta"] = by_gain["theta"] + part * beta * (counted - faded)
            by_gain["nu"] = by_gain["nu"] - by_log_tau * log_size
            shares[beta_name] = shares.get(beta_name, 0.0) + part
            if i:
                shares[f"q_{pool}"] = part
            harm = part * overfit.penalty(p, own)
            logs = {
                "delta": np.log(np.maximum(overfit.repeats(own), 1e-300)),
                "kappa": np.log(overfit.params_per_unique_token(own)),
            }
            by_harm["P"] = by_harm["P"] + harm / p["P"]
            for name, log in logs.items():
                by_harm[name] = by_harm[name] + harm * log
        quality = np.exp(-mean_q)
        size = data_constrained.size_term_gradient(
            {**p, "B": p["B"] * quality, "beta": mean_beta},
            {
                "n_params": v["n_params"],
                "n_tokens_seen": seen,
                "n_tokens_unique": unique_seen,
            },
        )
        data = p["B"] * np.exp(-mean_q - gain)
        found = {name: -data * slope for name, slope in by_gain.items()}
        for name, part in shares.items():
            if name.startswith("q_"):
                found[name] = -part * (data + size["B"] * p["B"] * quality)
            else:
                found[name] = found[name] + size["beta"] * part
        return (
            found
            | by_harm
            | {name: size[name] for name in ("A", "alpha", "R_N_star")}
            | {"E": np.ones_like(data), "B": data / p["B"] + size["B"] * quality}
        )

    return gradient


def _penalty(pools):
    """P, delta and kappa, with the amplitude centred at the mean pass and density of the mix."""
    if not pools:
        return overfit.PENALTY

    def mean_over_pools(quantity):
        def of(v):
            parts = [np.maximum(v[f"share_{pool}"], 1e-12) for pool in pools]
            own = [
                quantity({**v, "n_tokens_unique": pool_tokens(v, pool) / part})
                for pool, part in zip(pools, parts, strict=True)
            ]
            return sum(part * x for part, x in zip(parts, own, strict=True))

        return of

    scale, *powers = overfit.PENALTY
    term = tuple((name, mean_over_pools(quantity)) for name, quantity in scale.term)
    return (
        Parameter(
            scale.name,
            unit=scale.unit,
            low=scale.low,
            high=scale.high,
            start_low=scale.start_low,
            start_high=scale.start_high,
            transform=scale.transform,
            meaning=scale.meaning,
            relative=True,
            term=term,
        ),
        *powers,
    )


def _pool_parameters(pools, shared):
    """beta and tau of each pool or of all, and q of each but the first."""
    named = {
        _own(name, pool, pools=pools, shared=shared): name
        for pool in pools or ("",)
        for name in ("beta", "tau")
    }
    made = tuple(
        (
            exponent(own, "utility of a new token")
            if name == "beta"
            else Parameter(
                own,
                unit="passes",
                low=0.05,
                high=1e6,
                start_low=1.0,
                start_high=60.0,
                transform="log",
                meaning="passes after which a repeat is worth half",
            )
        )
        for own, name in named.items()
    )
    return made + tuple(
        Parameter(
            f"q_{pool}",
            unit="1",
            low=-10.0,
            high=10.0,
            start_low=-1.0,
            start_high=1.0,
            transform="linear",
            meaning=f"log gain of {pool} over {pools[0]}",
        )
        for pool in pools[1:]
    )


def _per_token(pools, shared):
    """Quantities whose powers make up the data term of the first pass, for the centring of B."""
    if not pools or "beta" in shared:
        return (("beta", inverse("n_tokens_seen")),)
    return tuple(
        (f"beta_{pool}", lambda v, s=f"share_{pool}": v["n_tokens_seen"] ** -v[s])
        for pool in pools
    )


def recipe(pools: Sequence[str] = (), shared: Sequence[str] = ()) -> Law:
    """The law for one pool (no names) or for named pools; `shared` may hold 'beta' and 'tau', then one for all pools.

    >>> recipe(("web", "books"), shared=("beta", "tau")).parameter_names
    ('E', 'A', 'alpha', 'B', 'beta', 'tau', 'q_books', 'theta', 'nu', 'R_N_star', 'P', 'delta', 'kappa')
    """
    pools, common = tuple(pools), frozenset(shared)
    own = pool_variables(pools) or (N_TOKENS_UNIQUE,)
    single = Reduction(
        "overfit_data_constrained",
        parameters={"theta": 1.0, "tau": 6.0, "R_N_star": 1e30, "nu": 0.0},
        variables={},
        other_parameters={"R_D_star": 6.0 / np.log(2.0)},
    )
    return Law(
        name="recipe"
        + ("_mix" if pools else "")
        + "".join(f"_shared_{name}" for name in sorted(common)),
        title="Recipe-aware: size, tokens, repeats, harm"
        + (", share and quality of each pool" if pools else ""),
        formula=(
            "value = E + A / N'^alpha + B exp(-sum_i s_i (q_i + beta_i l_i)) + P sum_i"
            " s_i R_i^delta (s_i N / U_i)^kappa; l_i = (1 - theta) S_i + theta log"
            " D'_i, fading after tau_i (N / 1e8)^-nu passes; q of the first pool 0"
        ),
        variables=(N_PARAMS, N_TOKENS_SEEN, *own),
        parameters=(
            floor(),
            amplitude("A", "amplitude over model size", ("alpha", inverse("n_params"))),
            exponent("alpha", "exponent over model size"),
            amplitude("B", "amplitude over tokens", *_per_token(pools, common)),
            *_pool_parameters(pools, common),
            THETA,
            SOONER,
            data_constrained.EXCESS,
            *_penalty(pools),
        ),
        value=_value(pools, common),
        gradient=_gradient(pools, common),
        source=(
            "ours; joins arXiv 2203.15556, 2305.16264, 2404.07177, 2403.16952, the"
            " penalty of 2605.01640 and the idea of 2605.02364"
        ),
        reduces_to=None if pools else single,
        arm_parameters=("E", "B"),
        rank=130,
    )


RECIPE = recipe()
