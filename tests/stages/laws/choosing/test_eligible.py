"""Which laws are tried on a table follows from what its runs can tell apart."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws.choosing.eligible import eligible_laws, table_kind

SIZES = {"n_params": np.array([1e6, 1e7]), "n_tokens_seen": np.array([1e8, 1e9])}
FLOPS = {"flops": np.array([1e15, 1e16])}


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        (SIZES | FLOPS, "sizes and tokens"),
        (SIZES | FLOPS | {"n_tokens_unique": np.array([1e8, 1e9])}, "sizes and tokens"),
        (SIZES | FLOPS | {"n_tokens_unique": np.array([1e8, 1e8])}, "repeats"),
        (FLOPS, "compute alone"),
        (SIZES | FLOPS | {"n_params": np.array([1e6, 1e6])}, "compute alone"),
    ],
)
def test_the_kind_of_a_table(rows, kind):
    assert table_kind(rows) == kind


def test_where_data_are_repeated_only_laws_that_know_repeats_are_tried():
    rows = SIZES | FLOPS | {"n_tokens_unique": np.array([1e8, 1e8])}
    found = eligible_laws(rows)
    assert found and all("n_tokens_unique" in law.variable_names for law in found)
    names = {law.name for law in found}
    assert {"data_constrained", "overfit_log", "overfit_log_two"} <= names


def test_size_and_compute_laws_are_tried_together():
    names = {law.name for law in eligible_laws(SIZES | FLOPS)}
    assert {"chinchilla", "bracket", "over_training", "power_floor"} <= names


def test_a_table_of_nothing_is_refused():
    with pytest.raises(InputError, match="has the variables of no law"):
        eligible_laws({"value": np.ones(3)})


ONE_SIZE = SIZES | FLOPS | {"n_params": np.array([1e6, 1e6])}
TOKENS = {"n_tokens_seen": np.array([1e8, 1e9])}
REPEATED = {"n_tokens_unique": np.array([1e8, 1e8])}
FRESH = {"n_tokens_unique": np.array([1e8, 1e9])}


@pytest.mark.parametrize(
    ("rows", "tried"),
    [
        (ONE_SIZE | REPEATED, True),
        (TOKENS | REPEATED, True),
        (ONE_SIZE | FRESH, False),
        (ONE_SIZE, False),
        # FLOPs without a size do not say how many tokens they pay for
        (TOKENS | FLOPS | REPEATED, False),
    ],
)
def test_repeats_of_one_size_are_told_apart_from_new_tokens(rows, tried):
    names = [law.name for law in eligible_laws(rows)]
    assert ("half_life" in names) == tried
    assert {"power_floor", "power_floor_tokens"} & set(names)
    assert not {"half_life_sized", "half_life_mix"} & set(names)
