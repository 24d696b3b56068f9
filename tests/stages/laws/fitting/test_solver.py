"""The optimiser against an independent one, and its derivatives against differences."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import least_squares

from stages.laws import get_law
from stages.laws.fitting.fit import fit_law
from stages.laws.fitting.solver import OBJECTIVES, minimise


def noisy(rows, sd=0.01, seed=0):
    return rows | {
        "value": (
            rows["value"]
            * np.exp(
                sd * np.random.default_rng(seed).standard_normal(rows["value"].size)
            )
        )
    }


@pytest.mark.parametrize(
    "name", ["power_floor", "chinchilla", "data_constrained", "overfit"]
)
def test_the_analytic_jacobian_equals_central_differences(simulated, name):
    problem = fit_law(
        get_law(name), noisy(simulated(name)[0]), n_starts=8, identify=False
    ).problem
    low, high = problem.layout.range("start_low", "start_high")
    theta = low + (high - low) * np.random.default_rng(1).random((3, low.size))
    values, exact = problem.jacobian(theta)
    by_difference = replace(
        problem,
        layout=replace(problem.layout, law=replace(problem.layout.law, gradient=None)),
    )
    np.testing.assert_allclose(
        exact,
        by_difference.jacobian(theta)[1],
        rtol=1e-5,
        atol=1e-6 * np.abs(exact).max(),
    )
    np.testing.assert_allclose(values, problem.values(theta))


def test_the_jacobian_of_separate_arms_touches_their_own_runs_only(arm_runs):
    rows, _ = arm_runs(np.random.default_rng(0), 2)
    fit = fit_law(
        get_law("chinchilla"), rows, by_arm=("E", "B"), n_starts=8, identify=False
    )
    jac = fit.problem.jacobian(fit.theta[None])[1][0]
    slots = dict(zip(fit.problem.layout.slot_names(), jac, strict=True))
    assert np.all((slots["E", "b"] != 0) == (rows["arm"] == "b")) and np.all(
        slots["beta", None][[0, 20, 40]] != 0
    )


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_optimum_cannot_be_improved_by_a_trusted_optimiser(simulated, objective):
    fit = fit_law(
        get_law("chinchilla"),
        noisy(simulated("chinchilla")[0]),
        objective=objective,
        n_starts=16,
        identify=False,
    )
    problem = fit.problem

    def roots(theta):  # the residuals whose half squares are rho
        r = problem.residuals(problem.values(theta[None]), problem.observed)[0]
        return np.sign(r) * np.sqrt(2 * problem.loss(r))

    better = least_squares(roots, fit.theta, method="lm", xtol=1e-14, ftol=1e-14)
    assert fit.objective <= better.cost * (1 + 1e-8)


def test_members_are_solved_alone_whatever_the_batch(simulated):
    fit = fit_law(
        get_law("overfit"), noisy(simulated("overfit")[0]), n_starts=8, identify=False
    )
    weights = np.random.default_rng(0).standard_exponential((50, fit.n_points))
    batch = minimise(fit.problem, np.tile(fit.theta, (50, 1)), weights=weights)
    alone = minimise(fit.problem, fit.theta[None], weights=weights[17:18])
    assert (
        batch.objective[17] == pytest.approx(alone.objective[0], rel=1e-9)
        and batch.converged.all()
    )


def test_a_frozen_slot_keeps_its_value_and_bounds_hold(simulated):
    fit = fit_law(
        get_law("chinchilla"),
        noisy(simulated("chinchilla")[0]),
        n_starts=8,
        identify=False,
    )
    frozen = np.array([True, False, False, False, False])
    start = fit.theta + np.array([-0.5, 0, 0, 0, 0])
    solved = minimise(fit.problem, start[None], frozen=frozen)
    low, high = fit.problem.layout.range("low", "high")
    assert solved.theta[0, 0] == start[0] and np.all(
        (solved.theta >= low) & (solved.theta <= high)
    )
