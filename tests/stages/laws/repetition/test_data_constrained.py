"""Published figures of the data-constrained law."""

import numpy as np
import pytest

from stages.laws import get_law
from stages.laws.fitting.fit import fit_law
from stages.laws.repetition.data_constrained import decayed, optimal_params_for

C4 = {
    "A": np.exp(6.255414),
    "B": np.exp(7.3049974),
    "E": np.exp(0.6254804),
    "alpha": 0.3526596,
    "beta": 0.3526596,
}
PUBLISHED = C4 | {"R_D_star": 15.387756, "R_N_star": 5.309743}


@pytest.mark.parametrize(
    ("n_params", "n_tokens", "loss"),
    [(6.34e9, 242e9, 2.2256440889984477), (8.67e9, 178e9, 2.2269634075087867)],
)
def test_the_losses_that_the_authors_print(n_params, n_tokens, loss):
    found = get_law("data_constrained").value(
        PUBLISHED,
        {"n_params": n_params, "n_tokens_seen": n_tokens, "n_tokens_unique": 25e9},
    )
    assert float(found) == pytest.approx(loss, abs=1e-9)


def test_the_model_size_for_which_new_tokens_are_optimal():
    np.testing.assert_allclose(
        optimal_params_for(PUBLISHED, np.array([100e6, 400e6, 1.5e9])),
        [5.0987e6, 20.3946e6, 76.480e6],
        rtol=1e-5,
    )


def test_what_repeated_epochs_are_worth():
    np.testing.assert_allclose(
        decayed(1.0, np.array([3.0, 15.0, 39.0, 1e6]), PUBLISHED["R_D_star"]),
        [3.726, 10.58, 15.17, 16.387756],
        rtol=1e-3,
    )


@pytest.fixture(scope="module")
def runs(evidence, table_of):
    rows = [row for row in evidence("datablations.csv") if row["in_fit182"] == "1"]
    return table_of(
        rows,
        n_params="params_N",
        n_tokens_seen="train_tokens_D",
        n_tokens_unique="unique_tokens_U",
        value="val_loss_nats_c4",
    )


def test_the_published_constants_give_the_objective_that_was_recomputed(runs):
    fit = fit_law(get_law("data_constrained"), runs, fixed=PUBLISHED, identify=False)
    assert runs["value"].size == 163
    assert fit.objective == pytest.approx(0.0143546, abs=1e-7)


def test_the_published_repeat_constants_are_flagged_as_not_identified(runs):
    fit = fit_law(get_law("data_constrained"), runs, fixed=C4)
    assert fit.objective <= 0.0143546
    assert not fit.identified["R_D_star"] and not fit.identified["R_N_star"]
    assert "not_identified" in [warning["code"] for warning in fit.warnings]


def test_large_models_are_predicted_from_small_ones_better_than_by_the_published_refit(
    runs,
):
    small, large = (
        {k: v[mask] for k, v in runs.items()}
        for mask in (
            runs["n_params"] < 1e9,
            (runs["n_params"] >= 1e9) & (runs["n_params"] < 4e9),
        )
    )
    fit = fit_law(get_law("data_constrained"), small)
    error = np.mean(np.abs(fit.predict(large) / large["value"] - 1))
    assert error < 0.0449  # the error of an independent refit on the same rows
    assert not fit.identified["R_N_star"]
