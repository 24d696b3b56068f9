"""Weights of surfaces, and how the mean of surfaces ranks mixtures of the published tables."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.ensemble import HistGradientBoostingRegressor

from stages.laws.mixing.averaged_mix import fit_metrics, stacked


def test_the_surface_that_errs_not_at_all_has_all_of_the_weight():
    errors = np.random.default_rng(0).standard_normal((60, 3)) * [1.0, 1e-3, 2.0]
    assert stacked(errors, np.full(3, 1 / 3), 1e-4)[1] > 0.99


def test_surfaces_alike_keep_the_usual_weights():
    errors = np.repeat(np.random.default_rng(0).standard_normal((60, 1)), 2, axis=1)
    np.testing.assert_allclose(
        stacked(errors, np.array([0.7, 0.3]), 0.2), [0.7, 0.3], atol=1e-3
    )


def test_values_that_are_not_positive_have_surfaces_without_logs():
    shares = np.random.default_rng(0).dirichlet(np.ones(3), 20)
    values = np.column_stack([shares[:, 0] - 0.5, 2 + shares[:, 1]])
    signed, _positive = fit_metrics(shares, values, ["signed", "positive"], n_draws=4)
    assert not any(s.form.log or s.form.of_law for s in signed.surfaces)
    assert signed.value(np.array([[0.5, 0.2, 0.3]]))[0] == pytest.approx(0, abs=0.01)


def test_noise_that_metrics_share_stays_shared_in_the_draws():
    random = np.random.default_rng(0)
    shares = random.dirichlet(np.ones(3), 60)
    noise = 0.05 * random.standard_normal((60, 1)) * [1.0, 1.0]
    clean = np.column_stack([2 + shares[:, 0], 3 - shares[:, 1]])
    first, second = fit_metrics(shares, clean + noise, ["a", "b"], n_draws=200)
    at = shares.mean(axis=0)[None]
    together = np.corrcoef(first.drawn(at)[:, 0], second.drawn(at)[:, 0])[0, 1]
    assert together > 0.6


@pytest.mark.parametrize(("n_runs", "reached"), [(64, 97.6), (128, 98.3)])
def test_runs_sixty_times_larger_are_ranked_better_than_by_boosted_trees(
    evidence, n_runs, reached
):
    rows = evidence("regmix.csv")
    names = [[name for name in rows[0] if name.startswith(s)] for s in ("w_", "loss_")]

    def part(size, split):
        chosen = [r for r in rows if r["proxy_size"] == size and r["split"] == split]
        shares, losses = (
            np.array([[float(r[n]) for n in group] for r in chosen]) for group in names
        )
        return shares / shares.sum(axis=1, keepdims=True), losses

    shares, losses = (x[:n_runs] for x in part("1m", "train"))
    large, seen = part("60m", "test")
    metrics = fit_metrics(shares, losses, names[1], n_draws=2)
    trees = [
        HistGradientBoostingRegressor(
            max_iter=200, learning_rate=0.05, early_stopping=False, random_state=0
        ).fit(shares, losses[:, j])
        for j in range(losses.shape[1])
    ]

    def ranking(said):
        return 100 * np.mean(
            [spearmanr(each, seen[:, j])[0] for j, each in enumerate(said)]
        )

    ours = ranking([metric.value(large) for metric in metrics])
    assert ours > max(ranking([tree.predict(large) for tree in trees]), reached)
