"""Boosted trees from mixture weights to loss, and the search for the best mixture, as in RegMix
(Liu et al. 2024).

No formula, so no Law: a regression learnt on many tiny proxies at one size and length, then asked
about other mixtures. Trees rank well from some hundred mixtures and poorly from few (mixing/averaged_mix.py
needs fewer). scikit-learn's histogram trees take the place of LightGBM; the small learning rate and
the l2 loss are the authors'. Trap: the authors stop early on the test set; nothing here does. On
one domain "more of it is better" can beat any regression, so judge on all.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stages.foundation.errors import InputError

MIN_LEAF = 20  # cited: LightGBM's default; with fewer than 2 * MIN_LEAF mixtures its trees are constant
Predict = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class BoostedTrees:
    """Fitted trees of one validation domain."""

    model: Any = field(repr=False)

    def predict(self, shares) -> np.ndarray:
        """Values at mixtures (points, domains)."""
        return self.model.predict(np.atleast_2d(np.asarray(shares, float)))


def fit_trees(
    shares,
    values,
    *,
    n_trees: int = 1000,
    learning_rate: float = 0.01,
    min_leaf: int = MIN_LEAF,
    seed: int = 42,
) -> BoostedTrees:
    """Fit one validation domain. shares (mixtures, domains), values (mixtures,).

    >>> shares = np.random.default_rng(0).dirichlet([1, 1], 64)
    >>> trees = fit_trees(shares, (shares[:, 0] - 0.7) ** 2 + 2, n_trees=60)
    >>> best_mixture(trees.predict, [0.5, 0.5], n_samples=2000).round(1)
    array([0.8, 0.2])
    """
    from sklearn.ensemble import (
        HistGradientBoostingRegressor,
    )  # here, because it takes a second to import

    shares, values = np.atleast_2d(np.asarray(shares, float)), np.asarray(values, float)
    if shares.shape[0] < 2 * min_leaf:
        raise InputError(
            f"{shares.shape[0]} mixtures cannot split a tree with {min_leaf} in each"
            f" leaf; give at least {2 * min_leaf}, or use `assay mix`, which needs fewer"
        )
    model = HistGradientBoostingRegressor(
        max_iter=n_trees,
        learning_rate=learning_rate,
        min_samples_leaf=min_leaf,
        early_stopping=False,
        random_state=seed,
    )
    return BoostedTrees(model.fit(shares, values))


def best_mixture(
    predict: Predict,
    prior,
    *,
    n_samples: int = 100_000,
    n_best: int = 128,
    concentration: float = 1.0,
    seed: int = 0,
) -> np.ndarray:
    """Mean of the n_best predicted mixtures among n_samples drawn around `prior`, (domains,).

    prior: token shares of the domains; draws are Dirichlet(concentration * domains * prior), so a search never strays
    far from what the proxies covered. The mean, not the single best: one prediction of 100,000 is the luckiest.
    """
    prior = np.asarray(prior, float)
    prior = prior / prior.sum()
    draws = np.random.default_rng(seed).dirichlet(
        np.maximum(concentration * prior.size * prior, 1e-3), n_samples
    )
    order = np.argsort(predict(draws), kind="stable")[:n_best]
    return draws[order].mean(axis=0)
