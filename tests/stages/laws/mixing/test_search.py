"""Optima that are known: between domains, in a corner, at a bound, behind a veto."""

import numpy as np
import pytest

from stages.laws.mixing.averaged_mix import fit_metrics
from stages.laws.mixing.search import Goal, Veto, project, search
from stages.laws.mixing.trust import trust

SHARES = np.vstack([np.random.default_rng(0).dirichlet(np.ones(3), 40), np.eye(3)])


def bowl(shares):
    """Least at .5, .3, .2."""
    return 2 + np.sum((shares - [0.5, 0.3, 0.2]) ** 2, axis=1)


def best(values, low=None, high=None, vetoes=(), weights=None):
    values = np.atleast_2d(values).T if np.ndim(values) == 1 else values
    names = [str(j) for j in range(values.shape[1])]
    metrics = fit_metrics(SHARES, values, names, n_draws=30)
    weights = np.full(len(names), 1 / len(names)) if weights is None else weights
    low = np.zeros(3) if low is None else np.array(low)
    high = np.ones(3) if high is None else np.array(high)
    region = trust(SHARES, low, high)
    return search(Goal(metrics, np.array(weights)), region, vetoes, n_draws=30)


def test_the_bottom_of_a_bowl_and_its_draws():
    noise = 0.002 * np.random.default_rng(1).standard_normal(len(SHARES))
    share, draws = best(bowl(SHARES) + noise)
    np.testing.assert_allclose(share, [0.5, 0.3, 0.2], atol=0.02)
    np.testing.assert_allclose(draws.mean(axis=0), [0.5, 0.3, 0.2], atol=0.02)
    np.testing.assert_allclose(draws.sum(axis=1), 1.0)
    assert 1e-4 < draws.std(axis=0).max() < 0.02


def test_a_slope_ends_in_the_corner_of_the_simplex():
    share, _ = best(3 - SHARES[:, 1])
    np.testing.assert_allclose(share, [0, 1, 0], atol=1e-3)


def test_floors_and_caps_hold_in_the_proposal_and_in_the_draws():
    share, draws = best(3 - SHARES[:, 1], low=[0, 0, 0.1], high=[1, 0.6, 1])
    assert share[1] == pytest.approx(0.6, abs=1e-6) and share[2] >= 0.1 - 1e-9
    assert draws[:, 1].max() <= 0.6 + 1e-9 and draws[:, 2].min() >= 0.1 - 1e-9


def test_a_veto_stops_the_slope_where_the_other_metric_has_lost_its_margin():
    # the first falls with domain 1, the second rises with it: .05 more is .05 more of its share
    values = np.column_stack([3 - SHARES[:, 1], 2 + SHARES[:, 1]])
    reference = np.full(3, 1 / 3)
    veto = Veto(1, reference, 0.05)
    share, draws = best(values, vetoes=[veto], weights=[1.0, 0.0])
    assert share[1] == pytest.approx(1 / 3 + 0.05, abs=2e-3)
    assert draws[:, 1].max() < 1 / 3 + 0.06


def test_the_nearest_shares_within_bounds():
    low, high = np.zeros(3), np.array([1.0, 1.0, 0.2])
    found = project(np.array([[0.6, 0.6, 0.1], [0.0, 0.0, 5.0]]), low, high)
    np.testing.assert_allclose(found[0], [0.5, 0.5, 0.0], atol=1e-6)
    np.testing.assert_allclose(found[1], [0.4, 0.4, 0.2], atol=1e-6)
