"""Items of two known curves are told apart, by rates and by single tries."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws.theory.item_clusters import item_clusters

EASY = np.array([0.1, 0.3, 0.6, 0.85, 0.95, 0.98])
HARD = np.array([0.05, 0.05, 0.08, 0.15, 0.35, 0.6])


def drawn(n_tries, seed, sizes=(70, 50)):
    """Passes of easy items, then of hard ones."""
    rng = np.random.default_rng(seed)
    rates = np.concatenate([np.tile(EASY, (sizes[0], 1)), np.tile(HARD, (sizes[1], 1))])
    tries = np.full(rates.shape, n_tries)
    return rng.binomial(tries, rates), tries


@pytest.mark.parametrize(("n_tries", "right"), [(20, 1.0), (4, 0.98), (1, 0.85)])
def test_two_known_clusters_are_found(n_tries, right):
    passes, tries = drawn(n_tries, seed=1)
    found = item_clusters(passes, tries)
    assert found.n_clusters == 2
    truth = np.repeat([0, 1], [70, 50])
    assert (found.labels == truth).mean() >= right
    assert found.rates == pytest.approx(np.stack([EASY, HARD]), abs=0.16)


def test_items_of_one_curve_are_one_cluster():
    passes, tries = drawn(10, seed=2, sizes=(120, 0))
    found = item_clusters(passes, tries)
    assert found.n_clusters == 1 and set(found.labels) == {0}
    assert min(found.bic, key=found.bic.get) == 1


def test_an_item_that_was_not_asked_everywhere_is_placed_by_the_rest():
    passes, tries = drawn(20, seed=3)
    passes[0, ::2] = tries[0, ::2] = 0
    assert item_clusters(passes, tries).labels[0] == 0


def test_the_order_of_the_items_changes_nothing():
    passes, tries = drawn(10, seed=4)
    order = np.random.default_rng(0).permutation(len(passes))
    whole = item_clusters(passes, tries)
    mixed = item_clusters(passes[order], tries[order])
    assert (mixed.labels == whole.labels[order]).all()


def test_bad_requests_are_refused():
    passes, tries = drawn(10, seed=5)
    with pytest.raises(InputError, match="500 clusters of 120 items"):
        item_clusters(passes, tries, n_clusters=500)
    tries[3] = 0
    with pytest.raises(InputError, match="an item was never asked"):
        item_clusters(passes, tries)
