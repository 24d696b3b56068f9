"""The region that runs speak for, where its distances are known by hand."""

import numpy as np
import pytest

from stages.laws.mixing.trust import trust

FREE = np.zeros(3), np.ones(3)
TRIANGLE = np.array([[0.6, 0.2, 0.2], [0.2, 0.6, 0.2], [0.2, 0.2, 0.6]])


def test_inside_and_outside_of_the_reach():
    region = trust(TRIANGLE, *FREE, reach=0.1)
    assert region.beyond(np.full(3, 1 / 3)) == pytest.approx(0, abs=1e-9)
    # from .8, .1, .1 a fifth of the mixture moves to the corner .6, .2, .2
    assert region.beyond(np.array([0.8, 0.1, 0.1])) == pytest.approx(0.2)
    assert region.cut(np.array([0.8, 0.1, 0.1]))
    assert not region.cut(np.array([0.7, 0.15, 0.15]))


def test_a_plane_cuts_the_mixture_off_and_nothing_inside():
    region = trust(TRIANGLE, *FREE, reach=0.1)
    outside = np.array([0.9, 0.05, 0.05])
    assert region.cut(outside)
    [(normal, most)] = region.planes
    assert normal @ outside > most
    inside = np.random.default_rng(0).dirichlet(np.ones(3), 200) @ TRIANGLE
    assert (inside @ normal <= most + 1e-9).all()


def test_the_way_back_ends_at_the_reach():
    region = trust(TRIANGLE, *FREE, reach=0.1)
    back = region.inside(np.array([1.0, 0.0, 0.0]))
    assert back.sum() == pytest.approx(1)
    assert region.beyond(back) == pytest.approx(0.1, abs=1e-6)


def test_a_floor_that_no_run_keeps_widens_the_reach_to_it():
    floor = np.array([0.8, 0.0, 0.0])
    region = trust(TRIANGLE, floor, np.ones(3), reach=0.05)
    # the nearest mixture with .8 is .2 away from the corner .6
    assert region.reach == pytest.approx(0.25)


def test_the_measured_reach_follows_the_run_furthest_from_the_others():
    line = np.array([[0.2, 0.8], [0.3, 0.7], [0.4, 0.6], [0.6, 0.4]])
    assert trust(line, np.zeros(2), np.ones(2)).reach == pytest.approx(1.5 * 0.2)
