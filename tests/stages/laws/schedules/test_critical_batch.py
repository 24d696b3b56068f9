"""The implicit law of steps and batch."""

import numpy as np
import pytest

from stages.laws import get_law
from stages.laws.schedules.critical_batch import critical_batch

P = {"A": 12.0, "alpha": 0.08, "B": 190.0, "beta": 0.67, "B_star": 2e8, "alpha_B": 0.2}


def test_the_value_solves_its_own_equation():
    law, rng = get_law("critical_batch"), np.random.default_rng(0)
    v = {
        "n_params": rng.uniform(1e6, 1e10, 200),
        "n_steps": rng.uniform(100, 1e5, 200),
        "batch_tokens": rng.uniform(1e3, 1e7, 200),
    }
    found = law.value(P, v)
    steps_min = v["n_steps"] / (1 + critical_batch(P, found) / v["batch_tokens"])
    np.testing.assert_allclose(
        found,
        P["A"] / v["n_params"] ** P["alpha"] + P["B"] / steps_min ** P["beta"],
        rtol=1e-12,
    )


def test_at_the_critical_batch_steps_and_data_are_twice_their_least():
    law, n = get_law("critical_batch"), {"n_params": np.array([1e8])}
    at_once = law.value(
        P, n | {"n_steps": np.array([1e4]), "batch_tokens": np.array([1e30])}
    )
    batch = critical_batch(P, at_once)
    assert law.value(
        P, n | {"n_steps": np.array([2e4]), "batch_tokens": batch}
    ) == pytest.approx(at_once, rel=1e-9)


def test_an_extreme_trial_of_a_fit_gives_a_number():
    v = {
        "n_params": np.array([1e9]),
        "n_steps": np.array([10.0]),
        "batch_tokens": np.array([1.0]),
    }
    assert np.isfinite(
        get_law("critical_batch").value(
            P | {"A": 1e-6, "B_star": 1e15, "alpha_B": 0.02}, v
        )
    ).all()
