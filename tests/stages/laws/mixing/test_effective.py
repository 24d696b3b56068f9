"""The law of effective tokens: its slopes, and the best mixture where it is the truth."""

import numpy as np
import pytest

from stages.laws.mixing.averaged_mix import fit_metrics, likely
from stages.laws.mixing.effective import Effective, fit_effective
from stages.laws.mixing.search import Goal, search
from stages.laws.mixing.trust import trust

THETA = np.array([1.5, -0.8, np.log(0.4), -1.0, 0.3])  # worth 1, .37 and 1.35


def swarm(n_runs: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    shares = random.dirichlet(np.ones(3), n_runs)
    law = Effective(THETA, np.zeros((0, 0)))
    return shares, law.value(shares) + noise * random.standard_normal(n_runs)


def test_the_formula_by_hand():
    law = Effective(np.array([2.0, 0.0, 0.0, np.log(3.0)]), np.zeros((0, 0)))
    # 2 + 1 / (.5 + 3 x .5), 2 + 1 / 3
    np.testing.assert_allclose(law.value(np.array([[0.5, 0.5], [0, 1]])), [2.5, 7 / 3])


def test_the_slope_is_that_of_small_steps():
    random = np.random.default_rng(1)
    shares, _ = swarm(20, 0.0)
    law = Effective(THETA, random.standard_normal((5, 5)))
    coefs = random.standard_normal((20, 5))

    def moved(at):
        return law.value(at) + np.sum(coefs * law.features(at), axis=1)

    steps = [1e-6 * np.eye(3)[i] for i in range(3)]
    by_steps = [(moved(shares + step) - moved(shares - step)) / 2e-6 for step in steps]
    np.testing.assert_allclose(
        law.slope(shares, coefs), np.stack(by_steps, axis=1), rtol=1e-5, atol=1e-6
    )


def test_constants_come_back_from_runs_without_noise():
    shares, values = swarm(40, 0.0)
    folds = [np.arange(40) % 4 == i for i in range(4)]
    law, parts = fit_effective(shares, values, folds)
    far = np.array([[0.02, 0.95, 0.03], [0.01, 0.01, 0.98]])
    truth = Effective(THETA, np.zeros((0, 0))).value(far)
    for each in (law, *parts):
        np.testing.assert_allclose(each.value(far), truth, rtol=2e-3)


def test_two_metrics_that_pull_apart_meet_at_the_known_optimum():
    # each metric falls as (its own share + .01)^-.5, so even shares are best
    shares = np.random.default_rng(2).dirichlet(np.ones(2), 24)
    values = 2 + 0.5 * (shares + 0.01) ** -0.5
    values += 0.01 * np.random.default_rng(3).standard_normal(values.shape)
    metrics = fit_metrics(shares, values, ["a", "b"], n_draws=2)
    region = trust(shares, np.zeros(2), np.ones(2))
    best, _ = search(Goal(metrics, np.array([0.5, 0.5]), None), region, n_draws=2)
    assert best == pytest.approx([0.5, 0.5], abs=0.03)


def test_a_surface_that_errs_a_tenth_more_counts_little_where_runs_are_many():
    errors = np.random.default_rng(0).standard_normal((200, 1)) * [[1.0, 1.0, 1.1]]
    weights = likely(errors)
    assert weights[0] == pytest.approx(weights[1])
    # (1.21)^(200 / 4): half of the likelihood's exponent
    assert weights[0] / weights[2] == pytest.approx(1.21**50, rel=1e-6)


def test_surfaces_without_any_error_share_and_one_of_them_has_all():
    np.testing.assert_allclose(likely(np.zeros((8, 3))), np.full(3, 1 / 3))
    weights = likely(np.array([[0.0, 1.0]] * 24))
    np.testing.assert_allclose(weights, [1, 0], atol=1e-12)
