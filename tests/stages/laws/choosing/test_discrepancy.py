"""The error beyond the runs: where it starts, how it grows, what arms share of it."""

import numpy as np
import pytest

from stages.laws.choosing.discrepancy import (
    SHARED,
    Reach,
    departing,
    own_scale,
    slopes,
)

RUNS = {
    "n_params": np.array([1e6, 1e7]),
    "n_tokens_seen": np.array([1e8, 1e9]),
    "n_tokens_unique": np.array([1e8, 2.5e8]),
}


def row(n_params, n_tokens, unique=1e12):
    return {
        "n_params": np.array([n_params]),
        "n_tokens_seen": np.array([n_tokens]),
        "n_tokens_unique": np.array([unique]),
    }


def test_the_distance_is_zero_inside_and_counts_size_and_tokens_beyond():
    reach = Reach.of(RUNS)
    assert reach.distance(row(1e7, 1e9)) == pytest.approx([0.0])
    assert reach.distance(row(1e6, 1e8)) == pytest.approx([0.0])
    e = np.e
    # size and tokens both e times further: root of two squares is 1.41, compute is e^2 times: 2
    assert reach.distance(row(1e7 * e, 1e9 * e)) == pytest.approx([2.0])
    # ten times smaller and e times longer: no more compute, one log of tokens
    assert reach.distance(row(1e6, 1e9 * e)) == pytest.approx([1.0])


def test_repeats_beyond_those_of_any_run_are_counted_apart():
    reach = Reach.of(RUNS)  # at most 4 epochs
    assert reach.repeats(row(1e7, 1e9, unique=1e9)) == pytest.approx([0.0])
    assert reach.repeats(row(1e7, 1e9, unique=1e9 / (4 * np.e))) == pytest.approx([1.0])


def test_another_number_of_unique_tokens_counts_where_they_repeat():
    reach = Reach.of(RUNS)  # of 1e8 to 2.5e8 unique tokens
    once, inside, more, fewer = 1e9, 2e8, 2.5e8 * np.e, 1e8 / np.e**2
    assert reach.unique(row(1e7, 1e9, unique=once)) == pytest.approx([0.0])
    assert reach.unique(row(1e7, 1e9, unique=inside)) == pytest.approx([0.0])
    assert reach.unique(row(1e7, 1e9, unique=more)) == pytest.approx([1.0])
    assert reach.unique(row(1e7, 1e9, unique=fewer)) == pytest.approx([2.0])


def test_compute_alone_is_the_distance_of_a_table_without_sizes():
    reach = Reach.of({"flops": np.array([1e15, 1e16])})
    assert reach.distance({"flops": np.array([1e15, 1e16, np.e * 1e16])}) == (
        pytest.approx([0.0, 0.0, 1.0])
    )


def test_the_edge_has_the_largest_size_tokens_and_epochs_of_the_runs():
    edge = Reach.of(RUNS).inside(
        row(1e9, 1e12, unique=1e8) | {"flops": np.array([6e21])}
    )
    assert edge["n_params"] == pytest.approx([1e7])
    assert edge["n_tokens_seen"] == pytest.approx([4e8])  # 4 epochs of 1e8
    assert edge["flops"] == pytest.approx([6 * 1e7 * 4e8])


def test_the_own_scale_is_one_for_usual_errors_and_grows_with_surprise():
    assert own_scale({}) == 1.0
    assert own_scale({"flops": [0.0, 0.0]}) == pytest.approx(np.sqrt(1 / 2))
    # one for the usual size, two axes of four: the root of nine thirds
    assert own_scale({"flops": [4.0], "n_params": [4.0]}) == pytest.approx(np.sqrt(3))
    # a fold that is off by a hundred deviations counts as one of five
    assert own_scale({"flops": [1e4]}) == own_scale({"flops": [25.0]})


def test_slopes_are_equal_within_an_arm_and_share_a_part_between_arms():
    arms = np.array(["a", "b", "a"])
    drawn = slopes(20_000, arms, seed=3)
    np.testing.assert_array_equal(drawn[:, 0], drawn[:, 2])
    assert drawn.std(axis=0) == pytest.approx([1, 1, 1], abs=0.03)
    assert np.corrcoef(drawn[:, 0], drawn[:, 1])[0, 1] == pytest.approx(
        SHARED, abs=0.03
    )
    np.testing.assert_array_equal(drawn[:, :1], slopes(20_000, np.array(["a"]), seed=3))
    wide = slopes(20_000, arms, seed=3, scale=0.0, own_scale=3.0)
    assert wide.std(axis=0) == pytest.approx(3 * np.sqrt(1 - SHARED), abs=0.05)
    apart = slopes(20_000, arms, seed=3, shared=0.0)
    assert np.corrcoef(apart[:, 0], apart[:, 1])[0, 1] == pytest.approx(0, abs=0.03)


def test_draws_depart_as_far_as_their_laws_from_a_doubling_of_the_pool_on():
    """Half of the scatter in the pool of the runs, all of it from twice the pool on, half way between at sqrt(2)."""
    found = departing(np.log([1.0, np.sqrt(2), 2.0, 10.0]))
    assert found == pytest.approx([0.5, 0.75, 1.0, 1.0])
