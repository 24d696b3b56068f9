"""Surfaces of every form: slopes, what draws know of the noise, and the truths that each form holds exactly."""

import numpy as np
import pytest

from stages.laws.mixing.averaged_mix import fit_metrics
from stages.laws.mixing.process import fit_process, spent_unknowns
from stages.laws.mixing.surface import FORMS
from stages.laws.mixing.tangent import fit_tangents

RANDOM = np.random.default_rng(0)
SHARES = RANDOM.dirichlet(np.ones(4), 40)
FRESH = RANDOM.dirichlet(np.full(4, 3.0), 6)
BY_NAME = {form.name: form for form in FORMS}


def exponential(shares):
    return 2 + np.exp(shares @ [-0.5, -2.0, 0.3, -1.0])


def interacting(shares):
    return 2 + np.exp(shares @ [-0.5, -2.0, 0.3, -1.0] + shares[:, 0] * shares[:, 1])


def linear_in_logs(shares):
    return np.exp(shares @ [1.0, 0.4, 0.8, 0.9])


def bowl(shares):
    return 2.5 + (shares[:, 0] - 0.4) ** 2 + shares[:, 1] * shares[:, 2]


def surface(form, truth, noise=0.0, n_draws=5, shares=SHARES):
    values = truth(shares) + noise * np.random.default_rng(1).standard_normal(
        len(shares)
    )
    [metric] = fit_metrics(
        shares, values[:, None], ["m"], n_draws=n_draws, forms=(form,)
    )
    return metric.surfaces[0]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_slopes_are_those_of_the_values(form):
    fitted, step = surface(form, interacting, noise=0.01), 1e-6
    moves = step * np.eye(4)
    value, slope = fitted.value_and_slope(FRESH[:5], fitted.draws)
    for domain in range(4):
        up, down = (
            np.diag(fitted.value(FRESH[:5] + sign * moves[domain], fitted.draws))
            for sign in (1, -1)
        )
        np.testing.assert_allclose(
            slope[:, domain], (up - down) / (2 * step), atol=1e-5
        )
    np.testing.assert_allclose(value, np.diag(fitted.value(FRESH[:5], fitted.draws)))


@pytest.mark.parametrize(
    ("name", "truth"),
    [
        ("exponential", exponential),
        ("exponential+products", exponential),
        ("linear in logs", linear_in_logs),
        ("quadratic", bowl),
    ],
)
def test_a_truth_of_the_form_comes_back_from_runs_without_noise(name, truth):
    fitted = surface(BY_NAME[name], truth)
    np.testing.assert_allclose(fitted.value(FRESH), truth(FRESH), rtol=2e-3)


def test_draws_spread_as_the_estimate_errs():
    """Of 40 tables of the same truth, the error over the spread of draws has a size of 1."""
    form, scores = BY_NAME["linear in logs"], []
    for seed in range(40):
        random = np.random.default_rng(seed)
        values = linear_in_logs(SHARES) * np.exp(0.02 * random.standard_normal(40))
        [metric] = fit_metrics(
            SHARES, values[:, None], ["m"], n_draws=100, seed=seed, forms=(form,)
        )
        off = metric.value(FRESH) - linear_in_logs(FRESH)
        scores.append(off / metric.drawn(FRESH).std(axis=0))
    assert 0.8 < np.sqrt(np.mean(np.square(scores))) < 1.25


def test_the_noise_and_the_unknowns_are_known():
    fitted = surface(BY_NAME["exponential"], exponential, noise=0.02)
    assert fitted.noise == pytest.approx(0.02, rel=0.3)
    assert spent_unknowns(fitted, SHARES) == pytest.approx(5, abs=0.1)


def test_folds_leave_their_runs_out():
    fold = np.arange(40) < 5
    values = exponential(SHARES)
    values[fold] = 9.0
    _, [left] = fit_tangents(SHARES, values, [fold])
    part = fit_process(FORMS[0], SHARES[~fold], values[~fold], law=left)
    np.testing.assert_allclose(part.value(FRESH), exponential(FRESH), rtol=5e-3)
