"""Published figures of the half-life law and what the mixture form must satisfy."""

import numpy as np
import pytest

from stages.laws import get_law
from stages.laws.repetition.half_life import EXACT_PASSES, half_life, pass_ends, utility


def test_the_paper_form_adds_the_floor_last():
    p = {"E": 0.1, "B": (0.02 / 1e5) ** -0.15, "beta": 0.15, "tau": 3.0}
    v = {
        "n_tokens_seen": np.array([12.8e6, 64e6, 640e6]),
        "n_tokens_unique": np.full(3, 12.8e6),
    }
    np.testing.assert_allclose(
        get_law("half_life").value(p, v), [0.9685, 0.8433, 0.8224], atol=5e-5
    )


def test_partial_passes_join_whole_ones_without_a_step():
    p, unique = {"E": 0.5, "B": 30.0, "beta": 0.2, "tau": 2.0}, 1e6
    seen = unique * np.array([2.999999, 3.0, 3.000001])
    values = get_law("half_life").value(
        p, {"n_tokens_seen": seen, "n_tokens_unique": np.full(3, unique)}
    )
    assert np.ptp(values) < 1e-5 and np.all(np.diff(values) < 0)


def test_long_repetition_in_blocks_equals_pass_by_pass():
    n_passes, tau, beta = 400, 40.0, 0.2
    passes = np.arange(2, n_passes + 1)
    exact = beta * (
        np.log(1e6)
        + np.sum(0.5 ** ((passes - 1) / tau) * np.log(passes / (passes - 1)))
    )
    assert pass_ends(n_passes).size < n_passes and n_passes > EXACT_PASSES
    assert utility(np.array([beta]), np.array([tau]), 1e6 * n_passes, 1e6)[
        0
    ] == pytest.approx(exact, abs=1e-5)


def test_a_mixture_of_one_pool_or_of_equal_pools_is_the_single_law():
    v = {
        "n_tokens_seen": np.array([1e8, 3.3e8]),
        "n_tokens_unique": np.array([5e7, 5e7]),
    }
    single = get_law("half_life").value(
        {"E": 1.0, "B": 20.0, "beta": 0.15, "tau": 4.0}, v
    )
    mix = half_life(("x", "y"))
    p = {"E": 1.0, "B": 20.0} | {
        f"{name}_{pool}": value
        for pool in "xy"
        for name, value in (("beta", 0.15), ("tau", 4.0))
    }
    only_x = {
        "share_x": 1.0,
        "share_y": 0.0,
        "unique_x": v["n_tokens_unique"],
        "unique_y": np.full(2, 1e9),
    }
    np.testing.assert_allclose(mix.value(p, v | only_x), single, rtol=1e-9)
    unequal = {
        "share_x": 0.2,
        "share_y": 0.8,
        "unique_x": 0.2 * v["n_tokens_unique"],
        "unique_y": 0.8 * v["n_tokens_unique"],
    }
    np.testing.assert_allclose(mix.value(p, v | unequal), single, rtol=1e-9)


def test_a_mixture_repeats_the_small_pool_at_its_own_pace():
    mix = half_life(("small", "large"))
    p = {
        "E": 1.0,
        "B": 20.0,
        "beta_small": 0.2,
        "tau_small": 2.0,
        "beta_large": 0.19,
        "tau_large": 2.0,
    }
    v = {
        "n_tokens_seen": np.array([1e9]),
        "unique_small": np.array([1e7]),
        "unique_large": np.array([1e9]),
    }
    some, much = (
        mix.value(
            p, v | {"share_small": np.array([s]), "share_large": np.array([1 - s])}
        )[0]
        for s in (0.03, 0.9)
    )
    none = mix.value(
        p, v | {"share_small": np.array([0.0]), "share_large": np.array([1.0])}
    )[0]
    assert (
        some < none < much
    )  # a little of the better pool helps, ninety passes over it do not
