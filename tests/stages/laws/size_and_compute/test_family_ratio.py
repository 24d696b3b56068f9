"""The best shares of families."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws.size_and_compute.family_ratio import best_shares


def test_the_best_shares_beat_every_other_mixture():
    weights, brackets, gammas = (
        np.array([1.0, 2.0, 0.5]),
        np.array([2.5, 3.0, 4.0]),
        np.array([0.1, 0.3, 0.2]),
    )
    best = best_shares(weights, brackets, gammas)
    others = np.random.default_rng(0).dirichlet(np.ones(3), 20_000)
    assert best.sum() == pytest.approx(1)
    assert (
        np.sum(weights * brackets * best**-gammas)
        <= np.min(np.sum(weights * brackets * others**-gammas, axis=1)) + 1e-12
    )
    marginal = weights * brackets * gammas * best ** (-gammas - 1)
    np.testing.assert_allclose(marginal, marginal[0], rtol=1e-9)
    np.testing.assert_allclose(best_shares([1, 1], [2.5, 2.5], [0.3, 0.3]), 0.5)
    with pytest.raises(InputError, match="drop families"):
        best_shares([1, 0], [2, 2], [0.1, 0.1])
