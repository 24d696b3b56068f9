"""Inversions of the downstream laws, counts of passes, and the map from subset to full score."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws import get_law
from stages.laws.theory.densing import (
    effective_params,
    effective_tokens,
    fit_pass_rate,
    loss_from_score,
    pass_estimate,
    subset_map,
)

P = {"E": 1.7, "A": 400.0, "alpha": 0.34, "B": 2000.0, "beta": 0.36}


def test_effective_size_and_data_invert_the_reference_law():
    loss = get_law("chinchilla").value(P, {"n_params": 1e9, "n_tokens_seen": 2e10})
    assert effective_params(P, loss, 2e10) == pytest.approx(1e9)
    assert effective_tokens(P, loss, 1e9) == pytest.approx(2e10)
    assert effective_tokens(P, loss - 0.05, 1e9) > 2e10 and np.isinf(
        effective_tokens(P, 1.7, 1e9)
    )


def test_the_score_is_inverted_where_the_sigmoid_reaches_it():
    p = {"top": 0.95, "drop": 0.7, "k": 5.0, "x0": 1.1}
    score = get_law("accuracy_from_loss").value(p, {"task_loss": np.array([0.8, 1.3])})
    np.testing.assert_allclose(loss_from_score(p, score), [0.8, 1.3])
    assert np.isnan(loss_from_score(p, [0.2, 0.96])).all()


def test_the_pass_estimate_is_unbiased():
    rng = np.random.default_rng(0)
    tries = 3 + rng.negative_binomial(3, 0.05, 200_000)
    assert np.mean(pass_estimate(3, tries)) == pytest.approx(0.05, rel=0.01)
    assert np.mean(3 / tries) > 0.06 and np.isnan(pass_estimate(1, 10))


def test_runs_cut_before_they_passed_still_count():
    rng = np.random.default_rng(1)
    size = np.repeat(np.geomspace(3e7, 3e9, 6), 60)
    rate = np.exp(-3.0e3 / size**0.35 / 1.0)
    cap, wanted = 300, 2
    tries = np.minimum(wanted + rng.negative_binomial(wanted, rate), cap)
    passes = np.where(tries < cap, wanted, rng.binomial(cap, rate))
    found = fit_pass_rate(size, passes, tries, wanted)
    assert found.n_censored > 5 and found.params["alpha"] == pytest.approx(
        0.35, abs=0.03
    )
    with pytest.raises(InputError, match="several values of n_params"):
        fit_pass_rate(np.full(3, 1e8), [1, 2, 2], [9, 9, 9], 2)


def test_the_subset_map_keeps_its_ends_and_learns_its_bend():
    x = np.linspace(0.1, 0.9, 7)
    found = subset_map(x, x + x * (1 - x) * (0.3 - 0.1 * x))
    np.testing.assert_allclose(found([0, 1]), [0, 1], atol=1e-12)
    np.testing.assert_allclose(found(0.5), 0.5 + 0.25 * 0.25)
    with pytest.raises(InputError, match="at least 3 anchor models"):
        subset_map([0.2, 0.4], [0.2, 0.5])
