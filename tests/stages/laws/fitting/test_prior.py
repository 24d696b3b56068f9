"""Priors, weights and ranges do what they say; variants carry them; a misfit at one end of a design is found."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws import get_law
from stages.laws.choosing.bootstrap import bootstrap
from stages.laws.fitting.exponent_range import bounded
from stages.laws.fitting.fit import fit_law
from stages.laws.fitting.identify import effective_unknowns
from stages.laws.fitting.prior import Prior
from stages.laws.fitting.variant import PUBLISHED, Variant, variants_of

LAW = get_law("chinchilla")


@pytest.fixture(scope="module")
def noisy(simulated):
    rows, _ = simulated("chinchilla")
    return rows | {
        "value": (
            rows["value"]
            * np.exp(
                0.005 * np.random.default_rng(0).standard_normal(rows["value"].size)
            )
        )
    }


def fitted(rows, **options):
    return fit_law(LAW, rows, delta=None, n_starts=32, identify=False, **options)


def test_a_hard_prior_holds_and_a_loose_one_does_nothing(noisy):
    free = fitted(noisy)
    hard = fitted(noisy, priors=[Prior({"alpha": 1, "beta": -1}, 0.0, 1e-4, "test")])
    loose = fitted(noisy, priors=[Prior({"alpha": 1}, 0.0, 100.0, "test")])
    assert hard.params["alpha"] == pytest.approx(hard.params["beta"], rel=1e-3)
    assert loose.params == pytest.approx(free.params, rel=1e-3)


def test_a_prior_counts_like_a_measurement_of_its_precision(noisy):
    """Between the free value and the prior mean, weighed by their precisions (the spread of the
    free draws against the sd).
    """
    free = fitted(noisy, objective="least_squares_log")
    spread = float(
        np.std(np.log(bootstrap(free, noisy, n_draws=400).param_draws()["alpha"]))
    )
    pulled = fitted(
        noisy,
        objective="least_squares_log",
        priors=[
            Prior(
                {"alpha": 1},
                float(np.log(free.params["alpha"])) + spread,
                spread,
                "test",
            )
        ],
    )
    moved = np.log(pulled.params["alpha"] / free.params["alpha"]) / spread
    assert 0.3 < moved < 0.7


def test_the_bootstrap_draws_the_prior_too(noisy):
    sd = 1e-3
    fit = fitted(noisy, priors=[Prior({"alpha": 1}, float(np.log(0.34)), sd, "test")])
    assert np.std(
        np.log(bootstrap(fit, noisy, n_draws=400).param_draws()["alpha"])
    ) == pytest.approx(sd, rel=0.2)


def test_a_prior_takes_away_unknowns(noisy):
    one = fitted(noisy, priors=[Prior({"alpha": 1}, float(np.log(0.34)), 1e-4, "test")])
    assert effective_unknowns(one.problem, one.theta, one.frozen) == pytest.approx(
        4, abs=0.05
    )
    free = fitted(noisy)
    assert effective_unknowns(free.problem, free.theta, free.frozen) == 5


def test_weights_make_the_runs_they_favour_fit_better(noisy):
    half = np.arange(noisy["value"].size) % 2 == 0
    shifted = noisy | {"value": noisy["value"] * np.where(half, 1.02, 1.0)}
    fit = fitted(shifted, weights=np.where(half, 20.0, 1.0))
    miss = np.abs(np.log(fit.predict(shifted) / shifted["value"]))
    assert miss[half].mean() < miss[~half].mean() / 2
    with pytest.raises(InputError, match="'weights' must be positive"):
        fitted(shifted, weights=np.zeros(half.size))


def test_ranges_hold(noisy):
    fit = fit_law(
        bounded(LAW, alpha=(0.4, 0.5)), noisy, delta=None, n_starts=32, identify=False
    )
    assert fit.params["alpha"] == pytest.approx(0.4) and fit.at_bound["alpha"]
    with pytest.raises(InputError, match="no parameter 'gamma' to bound"):
        bounded(LAW, gamma=(0, 1))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gamma", "no parameter 'gamma'"),
        ("E", "not fitted as a log"),
        ("A", "not fitted as a log"),
    ],
)
def test_a_prior_on_what_cannot_have_one_is_refused(noisy, name, reason):
    with pytest.raises(InputError, match=reason):
        fitted(noisy, priors=[Prior({name: 1}, 0.0, 1.0, "test")])


def test_variants_have_names_of_their_own():
    names = [
        v.name
        for law in ("chinchilla", "coupled", "power_floor", "overfit")
        for v in variants_of(get_law(law))
    ]
    assert len(names) == len(set(names)) == 4 + 2 + 2 + 4
    assert "chinchilla" in names and "chinchilla (alpha ~ beta)" in names


def test_priors_hold_in_every_arm(arm_runs):
    rows, _ = arm_runs(np.random.default_rng(0), 3)
    fit = Variant(LAW, "test", (PUBLISHED["beta"],)).fit(
        rows, by_arm=("E", "beta"), delta=None, n_starts=16, identify=False
    )
    assert fit.problem.priors.mean.size == 3


def test_a_misfit_at_one_end_is_found_and_noise_is_not(noisy):
    assert "misfit" not in [w["code"] for w in fitted(noisy).warnings]
    ratio = noisy["n_tokens_seen"] / noisy["n_params"]
    spoiled = noisy | {
        "value": noisy["value"] * np.where(ratio <= np.quantile(ratio, 0.1), 1.06, 1.0)
    }
    [warning] = [w for w in fitted(spoiled).warnings if w["code"] == "misfit"]
    assert "n_tokens_seen / n_params up to" in warning["message"]
