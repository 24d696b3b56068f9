"""Laws of mixtures take the domains and pools that a table has."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.run_columns.named_law import domains_of, law_for

HALVES = {"share_web": np.array([0.5, 1.0]), "share_code": np.array([0.5, 0.0])}
POOLS = HALVES | {
    "unique_web": np.array([1e6, 1e6]),
    "unique_code": np.array([1e5, 0.0]),
}


def test_any_number_of_domains_is_taken_in_the_order_of_the_table():
    shares = {f"share_{name}": np.full(3, 1 / 7) for name in "gfedcba"}
    law = law_for("exponential_mix", shares)
    assert law.variable_names == tuple(shares)
    assert law.parameter_names == ("E", "k", *(f"t_{name}" for name in "fedcba"))


@pytest.mark.parametrize(
    "name", ["half_life", "half_life_sized", "information", "recipe"]
)
def test_a_law_of_one_pool_becomes_that_of_many_where_only_those_are_known(name):
    assert law_for(name, POOLS).name == f"{name}_mix"
    one_pool = {**POOLS, "n_tokens_unique": np.array([1e6, 1e6])}
    assert law_for(name, one_pool).name == name


def test_tiers_of_the_same_tokens_are_no_domains():
    tiers = {"share_q000_020": np.array([0.2, 1]), "share_q020_100": np.array([0.8, 0])}
    assert domains_of(HALVES | tiers) == ("web", "code")
    assert domains_of(tiers) == ("q000_020", "q020_100")


def test_shares_of_no_whole_are_refused_with_the_row():
    lacks = {name: 0.6 * share for name, share in HALVES.items()}
    with pytest.raises(InputError, match=r"row 1: .* add up to 0\.6; .*one whole"):
        law_for("exponential_mix", lacks)


def test_a_used_pool_without_tokens_is_refused_and_an_unused_one_is_not():
    assert law_for("recipe_mix", POOLS).name == "recipe_mix"
    used = POOLS | {"share_web": np.full(2, 0.5), "share_code": np.full(2, 0.5)}
    with pytest.raises(InputError, match=r"row 2: share_code is 0\.5 and unique_code"):
        law_for("recipe_mix", used)


def test_an_unused_pool_changes_nothing():
    p = {"E": 1.0, "B": 60.0, "beta_web": 0.2, "tau_web": 6.0}
    p |= {"beta_code": 0.3, "tau_code": 5.0}
    v = POOLS | {"n_tokens_seen": np.array([1e6, 1e6])}
    mixed = law_for("half_life_mix", POOLS).value(p, v)
    assert mixed[1] == pytest.approx(1 + 60 * 1e6**-0.2)
