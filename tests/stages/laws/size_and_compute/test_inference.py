"""Samples, verifiers and their cost: closed forms against simulation."""

import numpy as np
import pytest

from stages.laws import get_law
from stages.laws.size_and_compute.inference import best_tries, pass_at_k


def test_pass_at_k_is_unbiased_and_exact_in_small_cases():
    assert (
        pass_at_k(10, 1, 5) == pytest.approx(0.5)
        and pass_at_k(10, 0, 5) == pytest.approx(0)
        and pass_at_k(10, 6, 5) == 1.0
    )
    passed = np.random.default_rng(0).binomial(50, 0.03, 100_000)
    assert np.mean(pass_at_k(50, passed, 10)) == pytest.approx(1 - 0.97**10, abs=0.002)


def test_coverage_rises_below_one_and_starts_at_the_single_sample():
    values = get_law("coverage").value(
        {"a": 1.2, "b": 0.4}, {"n_samples": np.array([1.0, 10, 1e6])}
    )
    assert (
        values[0] == pytest.approx(np.exp(-1.2))
        and np.all(np.diff(values) > 0)
        and values[-1] < 1
    )


def test_a_verifier_that_errs_puts_a_ceiling_that_a_simulation_finds():
    p, rng = {"right": 0.05, "wrong": 0.02}, np.random.default_rng(0)
    outcome = rng.choice(3, p=[0.05, 0.02, 0.93], size=(100_000, 40))
    first = np.where(
        (outcome < 2).any(axis=1),
        outcome[np.arange(100_000), (outcome < 2).argmax(axis=1)],
        2,
    )
    law = get_law("imperfect_verifier")
    assert law.value(p, {"n_samples": 40.0}) == pytest.approx(
        np.mean(first == 0), abs=0.005
    )
    assert law.value(p, {"n_samples": 1e9}) == pytest.approx(5 / 7)
    assert (
        best_tries(p, benefit=1.0, cost=2.0) == np.inf
        and best_tries(p, benefit=1.0, cost=3.0) == 0
    )


def test_cost_is_linear_in_samples_and_attention_grows_with_the_square_of_the_answer():
    law, p = get_law("inference_cost"), {"c_N": 2.0, "c_A": 1.0}
    v = {
        "n_params": 1e9,
        "tokens_in": 1.0,
        "kv_width": 1e5,
        "n_samples": np.array([1.0, 2.0, 1.0]),
        "tokens_out": np.array([1e3, 1e3, 1e6]),
    }
    one, two, long = law.value(p, v)
    assert two == pytest.approx(2 * one) and 20 * 1000 < long / one < 1e6
