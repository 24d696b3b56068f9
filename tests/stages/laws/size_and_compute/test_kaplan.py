"""The bracket of size and tokens: what lies between a sum and the worse of two terms."""

import numpy as np
import pytest

from stages.laws import get_law
from stages.laws.fitting.fit import fit_law

P = {"E": 1.5, "A": 57.0, "alpha": 0.18, "B": 52.0, "beta": 0.15}


def grid():
    n, d = (
        x.ravel()
        for x in np.meshgrid(np.geomspace(1e8, 1e9, 5), np.geomspace(3e9, 2e11, 6))
    )
    return {"n_params": n, "n_tokens_seen": d}


def test_a_bracket_with_the_exponent_of_tokens_is_kaplan_with_a_floor():
    np.testing.assert_allclose(
        get_law("bracket").value(P | {"q": P["beta"]}, grid()),
        get_law("kaplan_floor").value(P, grid()),
        rtol=1e-12,
    )


def test_the_published_scales_give_the_published_form():
    # any scales: A = N_c^alpha, B = D_c^beta
    n_c, d_c, alpha, beta = (8.8e13, 5.4e13, 0.076, 0.095)
    rows = grid()
    paper = (
        (n_c / rows["n_params"]) ** (alpha / beta) + d_c / rows["n_tokens_seen"]
    ) ** beta
    np.testing.assert_allclose(
        get_law("kaplan").value(
            {"A": n_c**alpha, "alpha": alpha, "B": d_c**beta, "beta": beta}, rows
        ),
        paper,
        rtol=1e-10,
    )


@pytest.mark.parametrize("q", [0.2, 1.0])
def test_the_exponent_of_the_bracket_is_recovered(q):
    rows = grid()
    value = get_law("bracket").value(P | {"q": q}, rows) * np.exp(
        5e-4 * np.random.default_rng(0).standard_normal(30)
    )
    fit = fit_law(
        get_law("bracket"),
        rows | {"value": value},
        delta=None,
        n_starts=48,
        identify=False,
    )
    assert fit.params["q"] == pytest.approx(q, rel=0.25)
