"""The half-life law as its authors coded it, which is not what their paper says (half_life.py).

Passes are over the union of the pools, `a` multiplies the tokens inside the power, and in the utility form the floor
is added BEFORE the product over passes, so the value can fall below d. Cost of a value: as in half_life.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from stages.laws.interface.law import (
    N_TOKENS_SEEN,
    N_TOKENS_UNIQUE,
    Law,
    Parameter,
    floor,
)
from stages.laws.repetition.half_life import (
    endings,
    log_steps,
    passes,
    pool_parameters,
    pool_variables,
    stepped_tokens,
    utility,
    worth,
)

CODE_SAMPLES = 1e5  # cited: the normaliser of the authors' code (locuslab/scaling_laws_data_filtering)


def half_life_code(pools: Sequence[str] = (), form: str = "utility") -> Law:
    """The authors' code, passes over the union of the pools. form: 'utility' (floor inside) or 'data'."""
    return _code_data(tuple(pools)) if form == "data" else _code_utility(tuple(pools))


def _code_utility(pools: tuple[str, ...]) -> Law:
    """The mean of beta_i w_i is the exponent of a pass; the floor stands inside the product."""

    def value(p, v):
        seen, unique = _union(v)
        log_first = np.log(unique)
        shares = [v[f"share_{pool}"] for pool in pools] or [1.0]
        beta, repeats = 0.0, 0.0
        for part, ending in zip(shares, endings(pools), strict=True):
            own = part * p[f"beta{ending}"]
            beta = beta + own
            log_all = utility(1.0, p[f"tau{ending}"], seen=seen, unique=unique)
            repeats = repeats + own * (log_all - log_first)
        first = np.exp(-beta * (np.log(p["a"] / CODE_SAMPLES) + log_first))
        return (first + p["d"]) * np.exp(-repeats)

    return _code_law(
        pools,
        name="half_life_code",
        form="utility",
        formula=(
            "value = ((a n_1 / 1e5)^-beta + d) prod_{k>=2} (n_k / n_{k-1})^-(beta"
            " (1/2)^((k-1)/tau))"
        ),
        # d may lie far above the values seen, because the product over passes lowers it
        own_floor=replace(floor("d"), high=20.0),
        value=value,
    )


def _code_data(pools: tuple[str, ...]) -> Law:
    """sum(beta_i w_i) / sum(w_i) is the exponent of a pass, whose tokens are worth the mean of w_i."""

    def one_pool(p, v):  # one exponent: the passes telescope to their decayed sum
        seen, unique = _union(v)
        log_sum = np.log(stepped_tokens(p["tau"], seen, unique))
        log_scaled = np.log(p["a"] / CODE_SAMPLES) + log_sum
        return np.exp(-p["beta"] * log_scaled) + p["d"]

    def value(p, v):
        by_pass, age = _passes_over_union(p, v)
        decays = _decays(p, v, pools=pools, age=age)
        worths = sum(decays)
        shares = zip(endings(pools), decays, strict=True)
        exponents = sum(_beta(p, ending) * decay for ending, decay in shares) / worths
        new = np.diff(by_pass, axis=-1, prepend=0.0)
        decayed = np.cumsum(new * worths, axis=-1)
        first, repeats = _first_and_repeats(exponents * log_steps(decayed))
        return first * repeats + p["d"]

    return _code_law(
        pools,
        name="half_life_code_data",
        form="data",
        formula=(
            "value = d + prod_k (m_k / m_{k-1})^-beta_k, m_k = a sum of decayed tokens"
            " / 1e5"
        ),
        own_floor=floor("d"),
        value=value if pools else one_pool,
    )


def _union(v):
    """Tokens seen and the different ones among them over all pools, (points,) each."""
    seen, unique = (
        np.atleast_1d(np.asarray(v[name], float))
        for name in ("n_tokens_seen", "n_tokens_unique")
    )
    return seen, np.minimum(unique, seen)


def _passes_over_union(p, v):
    """Scaled tokens seen at the end of each pass over all pools (..., points, blocks), and its age (blocks,)."""
    by_pass, age = passes(*_union(v))
    return np.asarray(p["a"])[..., None] * by_pass / CODE_SAMPLES, age


def _beta(p, ending):
    return np.asarray(p[f"beta{ending}"])[..., None]


def _decays(p, v, pools, age):
    """Share of each pool times the worth of its tokens in each pass, (..., points, blocks) a pool."""
    shares = [v[f"share_{pool}"] for pool in pools] or [1.0]
    return [
        np.asarray(part)[..., None] * worth(p[f"tau{ending}"], age)
        for ending, part in zip(endings(pools), shares, strict=True)
    ]


def _first_and_repeats(terms):
    """The factor of the first pass and that of all others, (..., points) each."""
    return np.exp(-terms[..., 0]), np.exp(-np.sum(terms[..., 1:], axis=-1))


def _code_law(
    pools: tuple[str, ...],
    *,
    name: str,
    form: str,
    formula: str,
    own_floor: Parameter,
    value: Callable,
) -> Law:
    """What both forms of the code share."""
    shares = [x for x in pool_variables(pools) if x.name.startswith("share_")]
    scale = Parameter(
        "a",
        "1 / 1e5 tokens",
        low=1e-12,
        high=1e6,
        start_low=0.005,
        start_high=1.0,
        transform="log",
        meaning="scale of tokens inside the power",
    )
    return Law(
        name=name + ("_mix" if pools else ""),
        title=f"Half-life law as coded by its authors, {form} form"
        + (", mixture" if pools else ""),
        formula=formula,
        variables=(N_TOKENS_SEEN, N_TOKENS_UNIQUE, *shares),
        parameters=(own_floor, scale, *pool_parameters(pools)),
        value=value,
        source=(
            "authors' code of arXiv 2404.07177, repository"
            " locuslab/scaling_laws_data_filtering, objective.py"
        ),
        arm_parameters=("d",) if pools else ("beta", "tau"),
        rank=115,
    )


HALF_LIFE_CODE = half_life_code()
HALF_LIFE_CODE_DATA = half_life_code(form="data")
