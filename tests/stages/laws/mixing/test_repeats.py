"""The cost of repeating a small domain."""

import numpy as np
import pytest

from stages.laws.mixing.repeats import PUBLISHED, Repeats

REPEATS = Repeats(1e10, np.array([1e9, np.inf]), PUBLISHED)


def test_one_pass_costs_nothing_and_more_cost_more():
    shares = np.array([[0.05, 0.95], [0.1, 0.9], [0.4, 0.6], [0.9, 0.1]])
    cost = REPEATS.cost(shares)[0]
    assert cost[:2] == pytest.approx(0, abs=1e-12)
    assert 0 < cost[2] < 0.2 * cost[3]
    np.testing.assert_allclose(REPEATS.passes(shares[3]), [9, 0])


def test_four_passes_are_worth_3_7_of_new_tokens():
    # 4 of 10 billion tokens are four passes: 3.726 (published) of 4 count
    effective = 6e9 + 3.726e9
    expected = 1487.7 * (effective**-0.35266 - 1e10**-0.35266)
    cost = REPEATS.cost(np.array([[0.4, 0.6]]))[0][0]
    assert cost == pytest.approx(expected, rel=2e-3)


def test_the_slope_is_that_of_the_cost():
    at, step = np.array([[0.4, 0.6]]), 1e-6
    slope = REPEATS.cost(at)[1][0]
    for domain in range(2):
        move = step * np.eye(2)[domain]
        up, down = (REPEATS.cost(at + sign * move)[0][0] for sign in (1, -1))
        assert slope[domain] == pytest.approx((up - down) / (2 * step), rel=1e-4)
