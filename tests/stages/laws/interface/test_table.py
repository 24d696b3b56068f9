"""Bad tables are refused in one line that names the column, the value and the cure."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws import get_law
from stages.laws.fitting.fit import fit_law


def good(n=20):
    rng = np.random.default_rng(0)
    n_params, n_tokens = rng.uniform(1e6, 1e9, n), rng.uniform(1e7, 1e10, n)
    return {
        "n_params": n_params,
        "n_tokens_seen": n_tokens,
        "value": 2 + 200 / n_params**0.3 + 500 / n_tokens**0.3,
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_params": None}, "no column 'n_params'.*map it"),
        ({"value": np.r_[np.nan, np.ones(19)]}, "'value' holds nan in row 0 .1 of 20"),
        (
            {"n_tokens_seen": np.r_[np.full(18, 1e8), -1.0, 0.0]},
            "'n_tokens_seen' must be positive, holds -1 in row 18 .2 of 20",
        ),
        (
            {"n_params": np.full(20, 1e8)},
            "needs several values of n_params, all rows have 1e.08",
        ),
        ({"value": np.full(20, "high")}, "'value' is not 20 numbers"),
    ],
)
def test_a_bad_column_is_refused(change, words):
    rows = {
        name: column for name, column in (good() | change).items() if column is not None
    }
    with pytest.raises(InputError, match=words) as refusal:
        fit_law(get_law("chinchilla"), rows)
    assert "\n" not in str(refusal.value)


def test_too_few_runs_are_refused():
    with pytest.raises(
        InputError, match="5 unknowns here but the table has 4 usable runs"
    ):
        fit_law(get_law("chinchilla"), good(4))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"by_arm": ("gamma",)}, "no parameter 'gamma' to separate by arm"),
        ({"by_arm": ("E",)}, "no column 'arm'"),
        ({"objective": "l1"}, "no objective is called 'l1'"),
        ({"fixed": {"C": 1.0}}, "no parameter 'C' to fix"),
    ],
)
def test_a_bad_option_is_refused(options, words):
    with pytest.raises(InputError, match=words):
        fit_law(get_law("chinchilla"), good(), **options)


def test_an_arm_with_too_few_runs_is_refused():
    with pytest.raises(
        InputError, match="arm 'b' has 1 runs for 2 parameters of its own"
    ):
        fit_law(
            get_law("chinchilla"),
            good() | {"arm": np.array(["a"] * 19 + ["b"])},
            by_arm=("E", "B"),
        )


def test_a_design_that_cannot_tell_is_warned_about():
    rows = good() | {
        "n_tokens_unique": np.full(20, 1e12),
        "n_params": np.repeat([1e7, 1e8], 10),
    }
    codes = [
        warning["code"]
        for warning in fit_law(get_law("data_constrained"), rows).warnings
    ]
    assert (
        "two_values_of_n_params" in codes
        and "no_repetition" in codes
        and "not_identified" in codes
    )
