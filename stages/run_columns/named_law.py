"""The law of a name for the domains and pools of a table: share_<name> columns are domains, with unique_<name> pools.

A law of mixtures is made for the names that the table has, however many. The shares that it reads
must be of one whole: where the table also splits its tokens by quality tier (q000_020, ...), as the
pipeline's own does, the pools are taken.
"""

import re
from collections.abc import Callable, Mapping

import numpy as np

from stages.foundation.errors import InputError
from stages.laws import (
    LAWS,
    Law,
    chinchilla_mix,
    exponential_mix,
    get_law,
    half_life,
    half_life_code,
    implicit_mix,
    information,
    recipe,
)

Rows = Mapping[str, np.ndarray]
Names = tuple[str, ...]
SHARE, UNIQUE = "share_", "unique_"
TIER = re.compile(r"q\d{3}_\d{3}")
ROUNDING = (
    0.02  # assumed: shares rounded to two or three decimals add up to this close to 1
)
EXAMPLE = ("first", "second")

OF_DOMAINS: dict[str, Callable[[Names], Law]] = {
    "exponential_mix": exponential_mix,
    "implicit_mix": implicit_mix,
    "chinchilla_mix": chinchilla_mix,
}
OF_POOLS: dict[str, Callable[[Names], Law]] = {
    "half_life_mix": half_life,
    "half_life_sized_mix": lambda pools: half_life(pools, sized=True),
    "half_life_code_mix": half_life_code,
    "half_life_code_data_mix": lambda pools: half_life_code(pools, form="data"),
    "information_mix": information,
    "recipe_mix": recipe,
    "recipe_mix_shared_beta_shared_tau": lambda pools: recipe(pools, ("beta", "tau")),
}


def example_law(name: str) -> Law:
    """The law of that name for two unnamed pools or domains where it needs some; raises as get_law."""
    if name in OF_POOLS:
        return OF_POOLS[name](EXAMPLE)
    return get_law(name)


def law_for(name: str, rows: Rows, table: str = "the table") -> Law:
    """The law of that name for the columns of a table; a law of one pool becomes that of many where
    the table tells only those apart.

    >>> shares = {"share_web": np.array([0.4]), "share_code": np.array([0.6])}
    >>> law_for("exponential_mix", shares).parameter_names
    ('E', 'k', 't_code')
    """
    if name in OF_DOMAINS:
        return OF_DOMAINS[name](domains_of(rows, table))
    mixed = f"{name}_mix"
    if name in OF_POOLS:
        return OF_POOLS[name](pools_of(rows, table))
    law = get_law(name)
    lacks_one_pool = (
        "n_tokens_unique" in law.variable_names and "n_tokens_unique" not in rows
    )
    if mixed in OF_POOLS and lacks_one_pool and _named(rows, UNIQUE):
        return OF_POOLS[mixed](pools_of(rows, table))
    return law


def mixture_names() -> list[str]:
    """Names of the laws that are made for the domains or pools of a table and are not in LAWS."""
    return [name for name in (*OF_DOMAINS, *OF_POOLS) if name not in LAWS]


def domains_of(rows: Rows, table: str = "the table") -> Names:
    """The domains whose shares make up the whole of every run; InputError where there are none."""
    names = _named(rows, SHARE)
    pools = tuple(name for name in names if not TIER.fullmatch(name))
    found = next((part for part in (names, pools) if _whole(rows, part)), ())
    if len(found) > 1:
        return found
    if len(names) < 2:
        raise InputError(
            f"{table}: a law of mixtures reads the share of each domain from columns"
            " share_NAME, at least two; map them with --map share_NAME=COLUMN"
        )
    total = np.sum([np.asarray(rows[SHARE + name], float) for name in names], axis=0)
    row = int(np.argmax(np.abs(total - 1)))
    raise InputError(
        f"{table}: row {row + 1}: {', '.join(SHARE + name for name in names)} add up"
        f" to {total[row]:.4g}; the shares of a run are fractions of one whole, 1"
    )


def pools_of(rows: Rows, table: str = "the table") -> Names:
    """The domains that also have their unique tokens in the table; InputError where some have not."""
    pools = domains_of(rows, table)
    for pool in pools:
        if UNIQUE + pool not in rows:
            raise InputError(
                f"{table}: no column '{UNIQUE}{pool}' with the different tokens of pool"
                f" '{pool}'; map one with --map {UNIQUE}{pool}=COLUMN"
            )
        share, unique = (np.asarray(rows[part + pool]) for part in (SHARE, UNIQUE))
        bad = (share > 0) & (unique <= 0)
        if bad.any():
            row = int(bad.argmax())
            raise InputError(
                f"{table}: row {row + 1}: {SHARE}{pool} is {share[row]:g} and"
                f" {UNIQUE}{pool} is {unique[row]:g}; a pool that is used has different"
                " tokens"
            )
    return pools


def varying_shares(rows: Rows) -> list[str]:
    """Columns of shares that differ between runs."""
    return [
        SHARE + name for name in _named(rows, SHARE) if np.ptp(rows[SHARE + name]) > 0
    ]


def _named(rows: Rows, prefix: str) -> Names:
    return tuple(c.removeprefix(prefix) for c in rows if c.startswith(prefix))


def _whole(rows: Rows, names: Names) -> bool:
    if not names:
        return False
    total = np.sum([np.asarray(rows[SHARE + name], float) for name in names], axis=0)
    return bool(np.all(np.abs(total - 1) <= ROUNDING))
