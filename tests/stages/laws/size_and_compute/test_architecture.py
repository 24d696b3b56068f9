"""Experts, streams, precision and growth: what follows from the forms, and the one figure that was recomputed."""

import numpy as np
import pytest

from stages.laws import get_law
from stages.laws.size_and_compute.architecture import best_mantissa, critical_tokens


def test_the_leverage_of_the_published_constants():
    p = {
        "a": 1.23,
        "d": -7.61e-2,
        "g": 1.67e-2,
        "b": -1.17e-1,
        "A_start": 1.63e-2,
        "A_max": 5.28e16,
    }
    law, v = (
        get_law("efficiency_leverage"),
        {
            "activation_ratio": np.full(300, 0.031),
            "flops": np.full(300, 1e22),
            "granularity": np.geomspace(2, 64, 300),
        },
    )
    assert law.value(
        p, {"activation_ratio": 0.031, "granularity": 12.0, "flops": 1e22}
    ) == pytest.approx(7.245, abs=1e-3)
    assert np.log2(v["granularity"][law.value(p, v).argmax()]) == pytest.approx(
        3.50, abs=0.02
    )


def test_one_stream_is_the_model_and_more_streams_are_a_larger_one():
    p = {"E": 1.5, "A": 300.0, "alpha": 0.3, "k": 0.35}
    one, eight, larger = (
        get_law("parallel_streams").value(p, {"n_params": n, "n_streams": s})
        for n, s in ((1e9, 1.0), (1e9, 8.0), (1e9 * (0.35 * np.log(8) + 1), 1.0))
    )
    assert eight < one and eight == pytest.approx(larger)


P = {
    "E": 1.9,
    "A": 70.0,
    "alpha": 0.24,
    "B": 7e4,
    "beta": 0.5,
    "Q": 1e-4,
    "delta": 3.2,
    "nu": 2.9,
}


def test_more_tokens_harm_past_the_critical_number():
    v = {
        "n_params": np.full(4001, 1e9),
        "exponent_bits": np.full(4001, 2.0),
        "mantissa_bits": np.ones(4001),
        "block_size": np.full(4001, 128.0),
    }
    tokens = np.geomspace(1e8, 1e14, 4001)
    values = get_law("float_training").value(P, v | {"n_tokens_seen": tokens})
    assert tokens[values.argmin()] == pytest.approx(critical_tokens(P, v)[0], rel=0.01)


def test_the_best_mantissa_is_the_least_on_a_grid():
    mantissa = np.linspace(0.1, 6.9, 6801)
    values = get_law("float_training").value(
        P,
        {
            "n_params": 1e9,
            "n_tokens_seen": 1e11,
            "exponent_bits": 7 - mantissa,
            "mantissa_bits": mantissa,
            "block_size": 128.0,
        },
    )
    assert mantissa[values.argmin()] == pytest.approx(best_mantissa(P, 7), abs=0.01)


def test_fewer_bits_cost_more_in_models_trained_longer():
    p = {"k": 0.02, "b": 0.5, "a": 0.25, "g": 5.5}
    added = get_law("post_training_quantisation").value(
        p,
        {"n_params": 1e9, "n_tokens_seen": np.array([1e11, 1e12]), "weight_bits": 4.0},
    )
    assert added[1] == pytest.approx(added[0] * 10**0.5)
