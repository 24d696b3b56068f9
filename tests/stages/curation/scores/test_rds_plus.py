"""RDS+ finds a target hidden in a mixture, takes turns, ignores padding; and fails as its header says."""

import numpy as np
import pytest

from stages.curation.scores.rds_plus import (
    cosines,
    position_weighted,
    round_robin,
    round_robin_scores,
)
from stages.foundation.errors import InputError


def around(centre, n, rng, spread=0.4):
    return centre + spread * rng.standard_normal((n, len(centre)))


@pytest.fixture(scope="module")
def mixture():
    """100 documents of the target hidden among 1,900 of four other topics, and 8 examples of the target."""
    rng = np.random.default_rng(0)
    centres = np.eye(16)[:5] * 3
    pool = np.concatenate(
        [around(centres[0], 100, rng), *(around(c, 475, rng) for c in centres[1:])]
    )
    return pool, around(centres[0], 8, rng), around(centres[1], 8, rng)


def test_the_hidden_target_comes_first_and_random_does_not_find_it(mixture):
    pool, queries, _ = mixture
    order = round_robin(cosines(queries, pool))
    assert sorted(order.tolist()) == list(range(2000))
    assert (order[:100] < 100).mean() > 0.97
    assert (np.random.default_rng(1).permutation(2000)[:100] < 100).mean() < 0.15


def test_scores_are_the_order_and_high_is_keep(mixture):
    pool, queries, _ = mixture
    similarity = cosines(queries, pool)
    scores = round_robin_scores(similarity)
    assert np.array_equal(np.argsort(-scores, kind="stable"), round_robin(similarity))
    assert scores.max() == 1 and scores.min() > 0


def test_queries_take_turns_as_in_algorithm_1():
    rng = np.random.default_rng(3)
    similarity = rng.standard_normal((7, 900))
    left, expected = set(range(900)), []
    while left:
        for row in similarity:
            if left:
                best = max(left, key=lambda d: row[d])
                expected.append(best)
                left.remove(best)
    assert round_robin(similarity).tolist() == expected
    assert round_robin(similarity, 50).tolist() == expected[:50]


def test_a_task_of_few_queries_has_as_many_turns(mixture):
    pool, first, second = mixture
    similarity = cosines(np.concatenate([first, second[:1]]), pool)
    one_pot = round_robin(similarity, 90)
    by_task = round_robin(similarity, 90, tasks=["a"] * 8 + ["b"])
    assert ((one_pot >= 100) & (one_pot < 575)).sum() == 10
    assert ((by_task >= 100) & (by_task < 575)).sum() == 45


def test_embeddings_do_not_depend_on_padding_or_on_its_side():
    rng = np.random.default_rng(2)
    states = rng.standard_normal((1, 5, 3))
    alone = position_weighted(states, np.ones((1, 5)))
    np.testing.assert_allclose(alone[0], np.arange(1, 6) / 15 @ states[0])
    junk = rng.standard_normal((1, 4, 3)) * 100
    for parts, mask in (
        ((states, junk), [1] * 5 + [0] * 4),
        ((junk, states), [0] * 4 + [1] * 5),
    ):
        np.testing.assert_allclose(
            position_weighted(np.concatenate(parts, axis=1), np.array([mask])), alone
        )
    with pytest.raises(InputError, match="text 1 of the batch has no token"):
        position_weighted(np.zeros((2, 2, 3)), np.array([[1, 1], [0, 0]]))


def test_failure_an_off_topic_query_takes_its_full_share(mixture):
    pool, queries, other = mixture
    spoiled = round_robin(cosines(np.concatenate([queries[:3], other[:1]]), pool), 80)
    assert (spoiled >= 100).sum() == 20


def test_failure_copies_of_a_query_are_all_taken(mixture):
    pool, queries, _ = mixture
    copies = np.concatenate([pool, np.repeat(queries[:1], 60, axis=0)])
    assert (round_robin(cosines(queries[:1], copies), 60) >= 2000).all()


def test_mistakes_are_named():
    with pytest.raises(InputError, match="no query"):
        round_robin(np.zeros((0, 4)))
    with pytest.raises(InputError, match="1 task names for 2 queries"):
        round_robin(np.zeros((2, 4)), tasks=["a"])
