"""Difficulty scores where the right answer is known: planted hard, forgotten, mislabeled and helpful examples."""

import numpy as np
import pytest

from stages.curation.pruning_metrics.el2n import el2n, grand
from stages.curation.pruning_metrics.ensembles import (
    UNCERTAINTIES,
    active_learning,
    dichotomous_difficulty,
    margin,
)
from stages.curation.pruning_metrics.forgetting import forgetting, never_learnt
from stages.curation.pruning_metrics.memorisation import (
    influence,
    influence_max,
    influence_sum_abs,
    memorisation,
    random_subsets,
)
from stages.foundation.errors import InputError

N_HARD = 20


def softmax(logits):
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)


@pytest.fixture
def ensemble():
    """8 models on 200 examples of 4 classes, sure of all but the first 20, on which each model goes its own way."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 4, 200)
    logits = 6.0 * np.eye(4)[labels][None] + 0.3 * random.normal(size=(8, 200, 4))
    logits[:, :N_HARD] = 3.0 * random.normal(size=(8, N_HARD, 4))
    return softmax(logits), labels


def hardest(score, n=N_HARD):
    return set(np.argsort(-score)[:n].tolist())


def test_el2n_by_hand_and_the_planted_hard_first(ensemble):
    by_hand = el2n(
        np.array([[[0.2, 0.8], [1, 0]], [[0.6, 0.4], [1, 0]]]), np.array([0, 1])
    )
    np.testing.assert_allclose(by_hand, [(0.8 + 0.4) / 2 * np.sqrt(2), np.sqrt(2)])
    assert hardest(el2n(*ensemble)) == set(range(N_HARD))


def test_failure_case_el2n_and_ddd_put_wrong_labels_before_hard_examples(ensemble):
    probabilities, labels = ensemble
    labels = labels.copy()
    labels[100:110] = (labels[100:110] + 1) % 4
    for score in (
        el2n(probabilities, labels),
        dichotomous_difficulty(probabilities, labels),
    ):
        assert set(range(100, 110)) <= hardest(score, 16)
    assert not hardest(active_learning(probabilities)) & set(
        range(100, 110)
    )  # no labels, no trap


@pytest.mark.parametrize("by", UNCERTAINTIES)
def test_disagreement_finds_what_the_models_are_torn_about(ensemble, by):
    assert (
        len(hardest(active_learning(ensemble[0], by)) & set(range(N_HARD)))
        >= N_HARD - 1
    )


def test_margin_and_ddd(ensemble):
    assert len(hardest(margin(ensemble[0])) & set(range(N_HARD))) >= N_HARD - 1
    np.testing.assert_allclose(
        margin(np.array([[[0.7, 0.2, 0.1]], [[0.3, 0.6, 0.1]]])), [-0.1]
    )
    share = dichotomous_difficulty(*ensemble)
    assert share[N_HARD:].max() == 0 and 0.5 < share[:N_HARD].mean() < 0.95


def test_information_is_zero_where_models_agree_to_be_unsure():
    agree = np.full((5, 1, 3), 1 / 3)
    split = np.eye(3)[[0, 0, 1, 1, 2]][:, None]
    assert active_learning(agree)[0] == 0 and active_learning(agree, "entropy")[
        0
    ] == pytest.approx(np.log(3))
    assert active_learning(split)[0] == pytest.approx(
        -(2 * 0.4 * np.log(0.4) + 0.2 * np.log(0.2))
    )


def test_grand_is_the_mean_norm_and_bad_arrays_are_named():
    np.testing.assert_array_equal(grand(np.array([[1.0, 4.0], [3.0, 0.0]])), [2.0, 2.0])
    with pytest.raises(InputError, match="gradient norms"):
        grand(np.array([1.0, -1.0]))
    with pytest.raises(InputError, match="add up to 1"):
        el2n(np.ones((1, 2, 3)), np.zeros(2, int))
    with pytest.raises(InputError, match="one label each"):
        el2n(np.full((1, 2, 2), 0.5), np.array([0, 2]))
    with pytest.raises(InputError, match="no uncertainty 'luck'"):
        active_learning(np.full((1, 2, 2), 0.5), "luck")


def test_forgetting_counts_falls_and_puts_the_never_learnt_last():
    correct = np.array([[[0, 1, 0, 1], [1, 1, 0, 0], [0, 1, 0, 1], [1, 1, 0, 0]]], bool)
    np.testing.assert_array_equal(forgetting(correct), [1, 0, 4, 2])
    np.testing.assert_array_equal(never_learnt(correct), [False, False, True, False])
    with pytest.raises(InputError, match="at least 2 checks"):
        forgetting(correct[:, :1])


def test_failure_case_few_checks_leave_ties():
    correct = np.random.default_rng(0).random((1, 2, 500)) < 0.8
    assert len(np.unique(forgetting(correct))) <= 3


def planted_world(n_models, n=60, m=30, seed=0):
    """Example 0 is memorised (right only if seen), 1 is never learnt; held-out 0 is right only if
    pool example 2 was seen.
    """
    included = random_subsets(n, n_models, 0.7, seed)
    random = np.random.default_rng(seed)
    correct = random.random((n_models, n)) < 0.9
    correct[:, 0] = included[:, 0]
    correct[:, 1] = False
    held_out = random.random((n_models, m)) < 0.8
    held_out[:, 0] = included[:, 2]
    return correct, included, held_out


def test_memorisation_and_influence_find_what_was_planted():
    correct, included, held_out = planted_world(400)
    score = memorisation(correct, included)
    assert (
        score.argmax() == 0
        and score[0] == 1
        and score[1] == 0
        and np.abs(score[2:]).max() < 0.2
    )
    infl = influence(held_out, included)
    assert (
        infl.shape == (60, 30)
        and infl[2, 0] == pytest.approx(1)
        and np.unravel_index(np.abs(infl).argmax(), infl.shape) == (2, 0)
    )
    assert influence_max(infl).argmax() == 2
    by_hand = held_out[included[:, 5], 7].mean() - held_out[~included[:, 5], 7].mean()
    assert infl[5, 7] == pytest.approx(by_hand, abs=1e-6)


def test_failure_case_sums_of_influence_drown_in_noise_with_few_models():
    few, many = (
        influence_sum_abs(influence(*reversed(planted_world(models)[1:])))
        for models in (20, 2000)
    )
    assert few.mean() > 5 * many.mean() and many.argmax() == 2


def test_subsets_are_of_the_size_asked_and_cover_everything():
    included = random_subsets(101, 10, 0.7, seed=3)
    assert set(included.sum(axis=1)) == {71}
    assert 0 < included.sum(axis=0).min() and included.sum(axis=0).max() < 10
    assert (included[0] | included[1]).all()
    with pytest.raises(InputError, match="no contrast"):
        random_subsets(10, 1)
    with pytest.raises(InputError, match="all or none of 2 subsets; train more"):
        random_subsets(10, 2, 0.9)
    with pytest.raises(InputError, match="train more models"):
        memorisation(np.ones((2, 3), bool), np.ones((2, 3), bool))
