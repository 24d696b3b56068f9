"""The profile: it must open along a flat valley and close where the data speak."""

import numpy as np

from stages.laws import get_law
from stages.laws.fitting.fit import fit_law
from stages.laws.fitting.identify import DECADES, likelihood_power, profile


def noisy(rows, sd, seed=0):
    return rows | {
        "value": (
            rows["value"]
            * np.exp(
                sd * np.random.default_rng(seed).standard_normal(rows["value"].size)
            )
        )
    }


def test_repeat_constants_are_open_when_runs_hardly_repeat(simulated):
    rows, _ = simulated("data_constrained")
    few = {
        k: v[
            (rows["n_tokens_seen"] <= 2e9)
            & (rows["n_tokens_seen"] <= 4 * rows["n_tokens_unique"])
        ]
        for k, v in noisy(rows, 0.04).items()
    }
    fit = fit_law(get_law("data_constrained"), few, n_starts=32)
    assert not fit.identified["R_D_star"]


def test_the_objective_rises_away_from_the_optimum_and_the_span_follows(simulated):
    rows, _ = simulated("chinchilla")
    fit = fit_law(
        get_law("chinchilla"),
        noisy(rows, 0.01),
        n_starts=32,
        objective="least_squares_log",
    )
    found = profile(fit.problem, fit.theta, fit.objective, fit.frozen)
    assert found.objective.shape == (5, 2 * len(DECADES)) and np.all(
        found.objective >= fit.objective * (1 - 1e-9)
    )
    assert np.all(found.objective[:, 0] > found.objective[:, 2]) and np.all(
        found.objective[:, -1] > found.objective[:, 3]
    )
    assert np.all(found.span < 1.0) and found.best_objective == fit.objective
    assert likelihood_power(fit.problem, fit.theta) == 55


def test_the_likelihood_of_absolute_values_counts_twice(simulated):
    rows, _ = simulated("chinchilla")
    fit = fit_law(get_law("chinchilla"), noisy(rows, 0.01), n_starts=16, identify=False)
    assert 95 < likelihood_power(fit.problem, fit.theta) <= 110
