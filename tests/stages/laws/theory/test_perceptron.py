"""The theory of pruning: reference errors, the published saddle equations, and a small simulation."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import erfc

from stages.foundation.errors import InputError
from stages.laws.theory.perceptron import _probe_nodes, pareto_keep, saddle


@pytest.mark.parametrize(
    ("alpha", "keep", "theta", "error"),
    [
        (3, 1, 0, 0.14284),
        (3, 0.5, 0, 0.08124),
        (3, 0.2, 0, 0.03472),
        (0.6, 0.2, 0, 0.45470),
        (0.6, 1, 0, 0.31387),
        (3, 0.4, 30, 0.14887),
        (2, 0.6, 20, 0.16848),
        (4, 0.5, 60, 0.11637),
    ],
)
def test_reference_errors(alpha, keep, theta, error):
    assert saddle(alpha, keep, theta).error == pytest.approx(error, abs=1e-5)


def test_the_whole_solution_at_thirty_degrees():
    found = saddle(3, 0.4, 30)
    np.testing.assert_allclose(
        [found.margin, found.overlap_teacher, found.overlap_probe],
        [0.2158, 0.8926, 0.6696],
        atol=6e-5,
    )


@pytest.mark.parametrize(
    ("alpha", "keep", "theta", "error"),
    [
        (8, 0.6, 10, 0.0374),
        (4, 0.25, 10, 0.0396),
        (2, 0.15, 10, 0.3704),
        (4, 0.4, 20, 0.0679),
        (8, 0.25, 40, 0.0654),
    ],
)
def test_errors_with_an_imperfect_probe_that_were_simulated_to_three_digits(
    alpha, keep, theta, error
):
    assert saddle(alpha, keep, theta).error == pytest.approx(error, abs=1e-3)


@pytest.mark.parametrize(
    ("pool", "keep", "hard", "easy"),
    [
        (0.5, 0.6, 0.4212, 0.3113),
        (1, 0.6, 0.3712, 0.2488),
        (3, 0.6, 0.1667, 0.1388),
        (5, 0.6, 0.0949, 0.0951),
        (10, 0.6, 0.0492, 0.0526),
        (10, 0.2, 0.0971, 0.0840),
    ],
)
def test_easy_examples_are_better_in_small_pools_and_hard_ones_in_large(
    pool, keep, hard, easy
):
    assert saddle(keep * pool, keep).error == pytest.approx(hard, abs=1e-4)
    assert saddle(keep * pool, keep, hard=False).error == pytest.approx(easy, abs=1e-4)


@pytest.mark.parametrize(("keep", "pool"), [(0.5, 5.04), (0.8, 9.67)])
def test_where_hard_overtakes_easy(keep, pool):
    found = brentq(
        lambda a: (
            saddle(a * keep, keep).error - saddle(a * keep, keep, hard=False).error
        ),
        3,
        15,
        xtol=1e-3,
    )
    assert found == pytest.approx(pool, abs=0.01)


@pytest.mark.parametrize(
    ("alpha", "keep", "theta"), [(3, 0.4, 30), (2, 0.6, 20), (4, 0.5, 60)]
)
def test_the_solution_solves_the_published_saddle_equations(alpha, keep, theta):
    """Both sides of the three equations as published, by brute force over z of both signs and t below the margin."""
    s = saddle(alpha, keep, theta)
    kappa, R, rho = s.margin, s.overlap_teacher, s.overlap_probe
    c, s2 = np.cos(np.radians(theta)), np.sin(np.radians(theta)) ** 2
    nodes, weight = _probe_nodes(keep, True)
    z, weight = (
        np.concatenate([nodes, -nodes])[:, None],
        np.concatenate([weight, weight]) / 2,
    )
    t = np.linspace(kappa - 14, kappa, 20001)
    lam = np.sqrt(s2 - R**2 - rho**2 + 2 * rho * R * c)
    gamma = z * (rho * R - c) - t * (R - rho * c)
    delta = (
        z**2 * (rho**2 + c**2 - 2 * rho * R * c) + 2 * t * z * (R * c - rho) + t**2 * s2
    )
    w = np.exp(-((t - rho * z) ** 2) / (2 * (1 - rho**2))) / np.sqrt(
        2 * np.pi * (1 - rho**2)
    )
    h = erfc(gamma / np.sqrt(1 - rho**2) / lam / np.sqrt(2)) / 2
    bell = np.exp(-delta / (2 * lam**2))

    def mean(inside):
        return weight @ np.trapezoid(inside, t, axis=1)

    assert (R - rho * c) / s2 == pytest.approx(
        alpha / (np.pi * lam) * mean(bell * (kappa - t)), abs=1e-6
    )
    assert 1 - (rho**2 + R**2 - 2 * rho * R * c) / s2 == pytest.approx(
        2 * alpha * mean(w * h * (kappa - t) ** 2), abs=1e-6
    )
    third = w * h * (z - rho * t) / (1 - rho**2) * (kappa - t) + bell / (
        2 * np.pi * lam
    ) * (rho * R - c) / (1 - rho**2) * (kappa - t)
    assert (rho - R * c) / s2 == pytest.approx(2 * alpha * mean(third), abs=1e-6)


def test_a_small_angle_joins_the_perfect_probe_and_the_tail_is_one_half_over_alpha():
    assert saddle(3, 0.5, 0.05).error == pytest.approx(saddle(3, 0.5).error, abs=2e-4)
    assert 200 * saddle(200).error == pytest.approx(0.5, abs=0.01)


def test_at_a_fixed_pool_keeping_all_is_best_among_hard_fractions():
    assert pareto_keep(3.0, (0.2, 0.4, 0.6, 1.0))[0] == 1.0
    with pytest.raises(InputError, match="0 < keep <= 1"):
        saddle(1.0, 1.5)
