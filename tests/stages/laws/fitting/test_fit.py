"""Parameter recovery, joint fits of arms, and what a fit reports about itself."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws import get_law
from stages.laws.fitting.fit import fit_law
from stages.laws.repetition.half_life import half_life


@pytest.mark.parametrize(
    "name",
    [
        "power_floor",
        "chinchilla",
        "data_constrained",
        "half_life",
        "half_life_sized",
        "overfit",
    ],
)
def test_clean_runs_give_the_true_parameters_back(simulated, name):
    rows, truth = simulated(name)
    fit = fit_law(get_law(name), rows, n_starts=64, identify=False)
    for parameter, value in truth.items():
        assert fit.params[parameter] == pytest.approx(value, rel=2e-3), parameter
    np.testing.assert_allclose(fit.predict(rows), rows["value"], rtol=1e-5)
    assert fit.starts["run"] == 64 and fit.starts["failed"] == 0


def test_a_mixture_law_is_recovered_pool_by_pool():
    rng = np.random.default_rng(0)
    law, share, seen = (
        half_life(("good", "rest")),
        rng.uniform(0.05, 0.95, 120),
        np.exp(rng.uniform(np.log(1e7), np.log(3e9), 120)),
    )
    rows = {
        "n_tokens_seen": seen,
        "share_good": share,
        "share_rest": 1 - share,
        "unique_good": np.full(120, 2e7),
        "unique_rest": np.full(120, 3e8),
    }
    truth = {
        "E": 1.5,
        "B": 60.0,
        "beta_good": 0.25,
        "tau_good": 5.0,
        "beta_rest": 0.2,
        "tau_rest": 8.0,
    }
    fit = fit_law(
        law, rows | {"value": law.value(truth, rows)}, n_starts=64, identify=False
    )
    assert fit.params == pytest.approx(truth, rel=0.01)


def test_a_joint_fit_separates_the_arms_and_shares_the_rest(arm_runs):
    rows, truth = arm_runs(np.random.default_rng(0), 4, noise=0.05)
    fit = fit_law(get_law("chinchilla"), rows, by_arm=("E", "B"))
    assert fit.arms == ("a", "b", "c") and fit.params["E"] == pytest.approx(
        truth["E"], rel=0.01
    )
    assert fit.params["alpha"] == pytest.approx(0.34, rel=0.02) and isinstance(
        fit.params["alpha"], float
    )
    assert fit.params["B"]["a"] < fit.params["B"]["b"]
    np.testing.assert_allclose(fit.predict(rows), rows["value"], rtol=0.01)
    one = {"n_params": np.array([1e8]), "n_tokens_seen": np.array([1e9])}
    assert fit.predict(one, arm="a") != fit.predict(one, arm="b")
    with pytest.raises(InputError, match="no arm 'd'; it has: a, b, c"):
        fit.predict(one, arm="d")
    with pytest.raises(InputError, match="no column 'arm'"):
        fit.predict(one)


def test_units_of_the_value_do_not_matter(simulated):
    rows, _ = simulated("chinchilla")
    rows = rows | {
        "value": (
            rows["value"]
            * np.exp(
                0.01 * np.random.default_rng(0).standard_normal(rows["value"].size)
            )
        )
    }
    one, thousand = (
        fit_law(
            get_law("chinchilla"),
            rows | {"value": rows["value"] * unit},
            identify=False,
        )
        for unit in (1, 1e3)
    )
    assert thousand.params["E"] / 1e3 == pytest.approx(one.params["E"], rel=1e-4)
    assert thousand.params["alpha"] == pytest.approx(one.params["alpha"], rel=1e-4)


def test_an_outlier_moves_the_robust_fit_less_than_squares(simulated):
    rows, truth = simulated("chinchilla")
    spoiled = rows | {
        "value": np.where(np.arange(rows["value"].size) == 7, 1.5, 1.0) * rows["value"]
    }
    robust, squares = (
        fit_law(get_law("chinchilla"), spoiled, objective=o, identify=False)
        for o in ("huber_log", "least_squares_log")
    )
    assert (
        abs(robust.params["E"] - truth["E"])
        < 0.001
        < abs(squares.params["E"] - truth["E"])
    )


def test_delta_can_follow_the_noise(simulated):
    rows, _ = simulated("chinchilla")
    noisy = rows | {
        "value": (
            rows["value"]
            * np.exp(
                0.01 * np.random.default_rng(0).standard_normal(rows["value"].size)
            )
        )
    }
    assert fit_law(
        get_law("chinchilla"), noisy, delta=None, identify=False
    ).problem.delta == pytest.approx(0.01345, rel=0.25)


def test_a_parameter_at_its_bound_is_reported(simulated):
    rows, _ = simulated("chinchilla")
    no_floor = rows | {
        "value": (
            3e3 / rows["n_params"] ** 0.3 + 1e4 / rows["n_tokens_seen"] ** 0.35 - 0.05
        )
    }
    fit = fit_law(
        get_law("chinchilla"), no_floor | {"value": np.maximum(no_floor["value"], 0.01)}
    )
    assert (
        fit.at_bound["E"]
        and not fit.identified["E"]
        and "at_bound" in [w["code"] for w in fit.warnings]
    )


def test_fixed_parameters_stay(simulated):
    rows, _ = simulated("chinchilla")
    fit = fit_law(
        get_law("chinchilla"), rows, fixed={"A": 400.0, "alpha": 0.34}, identify=False
    )
    assert (
        fit.params["A"] == pytest.approx(400.0)
        and fit.params["B"] == pytest.approx(2000.0, rel=1e-3)
        and fit.n_free == 3
    )


def test_identified_parameters_are_not_flagged(simulated):
    rows, _ = simulated("data_constrained")
    noisy = rows | {
        "value": (
            rows["value"]
            * np.exp(
                0.005 * np.random.default_rng(0).standard_normal(rows["value"].size)
            )
        )
    }
    fit = fit_law(get_law("data_constrained"), noisy, n_starts=32)
    assert (
        all(fit.identified.values()) and fit.warnings == [] and fit.condition_number > 1
    )
