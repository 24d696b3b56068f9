import numpy as np
import pytest

from stages.curation.pruning_metrics.prototypes import (
    class_prototype_distance,
    prototype_difficulty,
    prototype_distance,
)
from stages.curation.vectors.embeddings import embedded, hashed_words, sentence_model
from stages.foundation.errors import InputError

SPORT = (
    "the team won the match after a late goal and the coach praised the players".split()
)
MONEY = "the bank raised the interest rate while stocks and bonds fell on the market".split()


def texts(words, n, seed):
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(words, 12)) for _ in range(n)]


def test_texts_of_one_topic_lie_together():
    rows = hashed_words(texts(SPORT, 40, 0) + texts(MONEY, 40, 1), dimensions=8)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    cosine = rows @ rows.T
    assert rows.dtype == np.float32
    assert cosine[:40, :40].mean() > cosine[:40, 40:].mean() + 0.3


def test_a_text_unlike_the_others_is_the_hardest():
    pool = (
        texts(SPORT, 60, 0)
        + texts(MONEY, 60, 1)
        + ["quartz feldspar mica gneiss schist basalt granite"]
    )
    assert prototype_difficulty(pool, n_clusters=2, seed=0).argmax() == 120


def test_planted_outliers_of_a_cluster_are_hard_and_the_number_of_clusters_matters_little():
    random = np.random.default_rng(0)
    rows = np.eye(20)[random.integers(0, 10, 500)] + 0.05 * random.normal(
        size=(500, 20)
    )
    rows[:25] += 0.3 * random.normal(size=(25, 20))
    for k in (5, 10, 20):
        assert np.isin(
            np.argsort(-prototype_distance(rows, range(500), k))[:25], np.arange(25)
        ).mean() > (0.7 if k >= 10 else 0.05)


def test_supervised_prototypes_put_a_wrong_label_first_which_is_their_failure():
    random = np.random.default_rng(0)
    labels = random.integers(0, 5, 200)
    rows = np.eye(8)[labels] + 0.1 * random.normal(size=(200, 8))
    wrong = labels.copy()
    wrong[:10] = (wrong[:10] + 1) % 5
    assert set(np.argsort(-class_prototype_distance(rows, wrong))[:10]) == set(
        range(10)
    )
    with pytest.raises(InputError, match="as many labels"):
        class_prototype_distance(rows, wrong[:3])


def test_failure_case_rows_in_numbers_look_typical():
    """Copies of one odd row get a centre of their own and count as easy; alone the row is hard."""
    random = np.random.default_rng(0)
    rows = np.eye(12)[random.integers(0, 4, 300)] + 0.1 * random.normal(size=(300, 12))
    odd = random.normal(size=(1, 12))
    alone = prototype_distance(np.concatenate([rows, odd]), range(301), 5, seed=1)[-1]
    many = prototype_distance(
        np.concatenate([rows, np.repeat(odd, 100, axis=0)]), range(400), 5, seed=1
    )[-1]
    assert many < 0.05 < 0.5 < alone


def test_a_maker_is_held_to_its_contract(tmp_path):
    np.testing.assert_array_equal(
        embedded(lambda found: np.ones((len(found), 2)), ["a", "b"]), np.ones((2, 2))
    )
    for bad in (
        lambda found: np.ones(2),
        lambda found: np.full((2, 2), np.nan),
        lambda found: np.ones((3, 2)),
    ):
        with pytest.raises(InputError, match="one row of finite numbers a text"):
            embedded(bad, ["a", "b"])
    with pytest.raises(InputError, match="no modules.json"):
        sentence_model(tmp_path)
