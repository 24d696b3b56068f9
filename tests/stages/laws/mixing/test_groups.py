"""Shares in groups keep the sum of each group, within bounds."""

import numpy as np
import pytest

from stages.laws.mixing.groups import project, within

HALVES = ((np.array([0, 1]), 0.5), (np.array([2, 3]), 0.5))
LOW, HIGH = np.zeros(4), np.full(4, 0.5)


def test_each_group_keeps_its_sum():
    shares = np.random.default_rng(0).dirichlet(np.ones(4), 50)
    for found in (
        project(shares, LOW, HIGH, HALVES),
        within(shares, LOW, HIGH, HALVES),
    ):
        assert found[:, :2].sum(axis=1) == pytest.approx(0.5)
        assert found[:, 2:].sum(axis=1) == pytest.approx(0.5)
        assert (found >= 0).all()


def test_what_keeps_its_sums_is_not_moved():
    inside = np.array([[0.1, 0.4, 0.5, 0.0]])
    assert project(inside, LOW, HIGH, HALVES) == pytest.approx(inside, abs=1e-9)
    assert within(np.array([[0.2, 0.8]]), np.zeros(2), np.ones(2)) == pytest.approx(
        np.array([[0.2, 0.8]])
    )


def test_the_nearest_point_is_found_by_hand():
    """(0.9, 0.3) to the line that adds up to 0.5: each is moved down by 0.35, and 0 is the floor of the second."""
    found = project(np.array([[0.9, 0.3, 0.25, 0.25]]), LOW, np.ones(4), HALVES)
    assert found[0] == pytest.approx([0.5, 0.0, 0.25, 0.25], abs=1e-9)
