"""Multiple choice against sums made by hand, and against a model's own token losses."""

import numpy as np
import pytest
import torch

from stages.foundation.errors import InputError
from stages.proxy.heldout.choices import ChoiceItems, ChoiceScorer, choice_metrics
from stages.proxy.network.engine import AutogradEngine
from stages.proxy.network.model import Weights
from stages.proxy.specs.shape import Shape

SMALL = Shape(d_model=16, n_layers=2, n_heads=2, context=32, vocab_size=64)


def items(**changes):
    values = {
        "questions": [np.array([3, 4]), np.array([5])],
        "choices": [
            [np.array([6]), np.array([7, 8])],
            [np.array([9, 10, 11]), np.array([12]), np.array([13, 14])],
        ],
        "n_bytes": [[2, 4], [3, 2, 5]],
        "answer": [1, 0],
        "plain": np.array([20]),
        "eos_id": 0,
    }
    return ChoiceItems(**(values | changes))


def test_metrics_are_those_of_a_calculation_by_hand():
    nats, plain = (
        np.array([1.0, 1.5, 3.0, 2.0, 2.5]),
        np.array([1.0, 2.0, 3.5, 1.0, 1.0]),
    )
    scores = choice_metrics(items(), nats, plain)
    assert scores["correct_nats"][0] == (1.5 + 3.0) / 2
    assert scores["correct_bpb"][0] == pytest.approx(4.5 / np.log(2) / (4 + 3))
    p = [
        np.exp(-1.5) / (np.exp(-1) + np.exp(-1.5)),
        np.exp(-3) / (np.exp(-3) + np.exp(-2) + np.exp(-2.5)),
    ]
    assert scores["p_choices"][0] == pytest.approx(np.mean(p))
    assert scores["accuracy"][0] == 0.0  # 1.0 < 1.5 and 2.0 < 3.0
    assert scores["accuracy_token"][0] == 1.0  # .75 < 1.0 and 1.0 < 1.25 < 2.0
    assert scores["accuracy_byte"][0] == 0.5  # .375 < .5, but 2.5 / 5 < 3 / 3
    assert scores["accuracy_unconditional"][0] == 1.0  # -.5 < 0 and -.5 < 1, 1.5
    assert scores["correct_nats"][1] == pytest.approx(
        np.std([1.5, 3.0], ddof=1) / np.sqrt(2)
    )


def test_ties_share_the_credit():
    assert choice_metrics(items(), np.ones(5), np.ones(5))["accuracy"][
        0
    ] == pytest.approx((1 / 2 + 1 / 3) / 2)


def test_scores_are_the_models_own_losses_whatever_the_batching():
    weights = Weights(SMALL, [1, 2])
    weights.flat.normal_(generator=torch.Generator().manual_seed(0)).mul_(0.3)
    engine, questions = AutogradEngine(weights), items()
    seen = {}
    for batch_tokens in (1, 64):
        scorer = ChoiceScorer(questions, SMALL.context, batch_tokens)
        seen[batch_tokens] = scorer.score(engine.token_losses, 2)
    for one, other in zip(seen[1], seen[64], strict=True):
        assert one == {
            name: pytest.approx(value, rel=1e-5) for name, value in other.items()
        }
    whole = torch.tensor([[0, 3, 4, 7, 8]])
    losses = engine.token_losses(whole[:, :-1], whole[:, 1:])[:, 0, 2:].sum(-1)
    other = torch.tensor([[0, 5, 9, 10, 11]])
    losses = (
        losses + engine.token_losses(other[:, :-1], other[:, 1:])[:, 0, 1:].sum(-1)
    ) / 2
    for run in range(2):
        assert seen[64][run]["correct_nats"][0] == pytest.approx(
            float(losses[run]), rel=1e-5
        )


def test_a_long_question_is_cut_from_the_left_and_a_long_choice_is_refused():
    long = items(questions=[np.arange(1, 61), np.array([5])])
    rows = {
        int(row): (inputs[place], targets[place])
        for inputs, targets, rows in long.batches(32, 10_000)
        for place, row in enumerate(rows)
    }
    inputs, targets = rows[1]
    assert (
        inputs[0] == 0
        and list(inputs[-3:]) == [59, 60, 7]
        and list(targets[-2:]) == [7, 8]
        and (targets[:-2] == -1).all()
    )
    with pytest.raises(InputError, match="33 tokens does not fit"):
        list(
            items(
                choices=[
                    [np.arange(33), np.array([1])],
                    [np.array([1]), np.array([2]), np.array([3])],
                ]
            ).batches(32, 64)
        )


def test_a_diverged_model_has_metrics_that_are_not_numbers():
    for bad in (np.nan, np.inf):
        scores = choice_metrics(items(), np.full(5, bad), np.full(5, bad))
        assert not np.isfinite(scores["correct_nats"][0]) and np.isnan(
            scores["p_choices"][0]
        )
