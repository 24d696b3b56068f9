"""Bends of curves, where place and slopes are known by hand."""

import numpy as np
import pytest

from stages.laws.deciding.kink import budget_means, kink

X = np.arange(8.0)


def bent(before, after, at=4.0):
    return 1.0 + before * (X - at) + (after - before) * np.maximum(0, X - at)


def test_a_bend_is_found_with_its_slopes():
    found = kink(X, bent(-0.02, -0.1))
    assert (found.at, found.n_beyond, found.n) == (4.0, 3, 8)
    assert (found.before, found.after) == pytest.approx((-0.02, -0.1))
    assert found.level == pytest.approx(1.0)
    assert found.falls_late() and not found.rises_late()


def test_the_last_budget_alone_may_bend_a_curve():
    found = kink(X, bent(-0.05, 0.05, at=6.0))
    assert (found.at, found.n_beyond) == (6.0, 1)
    assert found.rises_late() and not found.falls_late()


def test_what_flattens_does_not_fall_late():
    assert not kink(X, bent(-0.1, -0.02)).falls_late()
    assert not kink(X, bent(-0.1, -0.15)).falls_late()


def test_straight_lines_noise_and_short_curves_have_no_bend():
    assert kink(X, 1 - 0.05 * X) is None
    # a change of a tenth of a percent a step, under the noise of .4 % of any run
    assert kink(X, bent(-0.001, -0.002)) is None
    assert kink(X[:4], bent(0.0, -0.1, at=2.0)[:4]) is None
    rng = np.random.default_rng(0)
    lines = [1 - 0.05 * X + 0.01 * rng.standard_normal(X.size) for _ in range(200)]
    late = [found for found in (kink(X, y) for y in lines) if found]
    assert sum(found.falls_late() or found.rises_late() for found in late) <= 4


def test_runs_of_one_budget_are_averaged_in_logs():
    x, y = budget_means(np.array([100.0, 10.0, 10.0]), np.array([1.0, 2.0, 8.0]))
    assert np.exp(x) == pytest.approx([10.0, 100.0])
    assert np.exp(y) == pytest.approx([4.0, 1.0])
