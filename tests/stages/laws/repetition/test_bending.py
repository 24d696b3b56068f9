"""A penalty that is a power of the repeats below S and a logarithm above it."""

import numpy as np
import pytest

from stages.laws import get_law

BASE = {"E": 2.0, "A": 1e-300, "alpha": 0.3, "B": 1e-300, "beta": 0.3}


def at(epochs, n_params=1e6, unique=1e6):
    epochs = np.asarray(epochs, float)
    return {
        "n_params": np.full(epochs.shape, n_params),
        "n_tokens_seen": epochs * unique,
        "n_tokens_unique": np.full(epochs.shape, unique),
    }


def test_no_penalty_without_repeats():
    law = get_law("overfit_log")
    p = BASE | {"P": 0.1, "delta": 2.0, "S": 0.5}
    assert law.value(p, at([0.5, 1.0])) == pytest.approx([2.0, 2.0])


def test_small_penalties_are_the_power_law():
    p = BASE | {"P": 1e-7, "delta": 2.0, "S": 0.5}
    # R = 9: 1e-7 * 81
    assert get_law("overfit_log").value(p, at([10.0])) - 2.0 == pytest.approx(
        [81e-7], rel=1e-4
    )


def test_large_penalties_rise_by_the_same_amount_every_doubling():
    p = BASE | {"P": 1e3, "delta": 2.0, "S": 0.25}
    rises = np.diff(get_law("overfit_log").value(p, at([1025.0, 2049.0, 4097.0])))
    assert rises == pytest.approx([0.25 * 2 * np.log(2)] * 2, rel=1e-4)


def test_half_the_model_or_twice_the_data_halve_the_argument():
    p = BASE | {"P": 0.01, "S": 0.3}
    law = get_law("overfit_log_one")
    whole = law.value(p, at([5.0]))
    assert law.value(p, at([5.0], n_params=5e5, unique=5e5)) == pytest.approx(whole)
    assert law.value(p, at([5.0], n_params=5e5)) < whole


@pytest.mark.parametrize("name", ["overfit_log_one", "overfit_log_two"])
def test_fixed_exponents_are_the_free_one_at_that_value(name):
    delta = {"overfit_log_one": 1.0, "overfit_log_two": 2.0}[name]
    p = BASE | {"P": 0.02, "S": 0.4}
    free = get_law("overfit_log").value(p | {"delta": delta}, at([3.0, 30.0]))
    assert get_law(name).value(p, at([3.0, 30.0])) == pytest.approx(free)


def test_a_bracket_of_exponent_one_is_a_sum():
    p = {"E": 2.0, "A": 30.0, "alpha": 0.3, "B": 50.0, "beta": 0.25}
    p |= {"P": 0.02, "delta": 1.5, "S": 0.4}
    bracket = get_law("bracket_log").value(p | {"q": 1.0}, at([3.0, 30.0]))
    assert bracket == pytest.approx(get_law("overfit_log").value(p, at([3.0, 30.0])))
