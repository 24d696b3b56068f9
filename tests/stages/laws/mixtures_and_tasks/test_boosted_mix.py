"""Boosted trees and the search for the best mixture; how they rank published runs is in mixing/test_averaged_mix.py."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws.mixtures_and_tasks.boosted_mix import best_mixture, fit_trees


def simulated(n, rng):
    shares = rng.dirichlet(np.full(4, 0.7), n)
    return shares, 2.0 + np.exp(-0.5 - 2.5 * shares[:, 0] + 0.3 * shares[:, 1])


def test_the_best_mixture_leans_to_the_domain_that_helps_and_stays_on_the_simplex():
    trees = fit_trees(
        *simulated(300, np.random.default_rng(1)), n_trees=100, learning_rate=0.1
    )
    best = best_mixture(trees.predict, np.full(4, 0.25), n_samples=5000, n_best=32)
    assert best.sum() == pytest.approx(1) and best[0] > 0.8


def test_too_few_mixtures_are_refused_with_the_cure():
    with pytest.raises(InputError, match="`assay mix`, which needs fewer"):
        fit_trees(np.eye(17), np.ones(17))
