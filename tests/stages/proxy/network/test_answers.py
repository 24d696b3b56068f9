"""Targets of a prompt have no part in loss and gradient, whichever engine computes them."""

import pytest
import torch

from stages.proxy.network.answers import IGNORED, n_scored
from stages.proxy.network.engine import AutogradEngine, build_engine
from stages.proxy.network.model import Weights, token_losses
from stages.proxy.specs.shape import Shape

SHAPE = Shape(d_model=16, n_layers=2, n_heads=2, context=8, vocab_size=32)


@pytest.fixture
def batch():
    """Two runs of three sequences: prompts of 5, 8 (all of it) and 0 tokens; the second run other tokens."""
    generator = torch.Generator().manual_seed(3)
    tokens = torch.randint(0, 32, (2, 3, 9), generator=generator)
    inputs, targets = tokens[..., :-1].clone(), tokens[..., 1:].clone()
    targets[:, 0, :5] = IGNORED
    targets[:, 1] = IGNORED
    return inputs, targets


def weights_of(n_runs=2, dtype=torch.float64):
    weights = Weights(SHAPE, list(range(n_runs)), dtype=dtype)
    with torch.no_grad():  # a head of zeros would hide what the body does
        weights.named["head"].normal_(generator=torch.Generator().manual_seed(1))
    return weights


def by_hand(inputs, targets):
    """Mean loss of the scored targets of each run, and its gradient, by plain autograd."""
    weights = weights_of()
    losses = token_losses(weights.named, SHAPE, inputs, targets.clamp(min=0))
    scored = targets != IGNORED
    means = [losses[run][scored[run]].mean() for run in range(len(inputs))]
    gradients = torch.autograd.grad(sum(means), list(weights.named.values()))
    return torch.stack(means).detach(), torch.cat([g.flatten(1) for g in gradients], 1)


def engines():
    """Each way to compute a step, by name."""
    return {
        "kernel": lambda w: build_engine(w, torch.float64, answer_only=True),
        "autograd": lambda w: AutogradEngine(w, answer_only=True),
        "in parts": lambda w: AutogradEngine(w, answer_only=True, micro_sequences=2),
    }


@pytest.mark.parametrize("name", engines())
def test_the_gradient_is_that_of_the_answers_alone(name, batch):
    inputs, targets = batch
    weights = weights_of()
    engine = engines()[name](weights)
    loss = engine.step_loss(inputs, targets)
    expected, gradient = by_hand(inputs, targets)
    torch.testing.assert_close(loss.double(), expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(weights.grad, gradient, rtol=1e-5, atol=1e-9)


def test_one_scored_token_gives_the_gradient_of_its_own_loss(batch):
    inputs, targets = batch[0][:1, :1], torch.full((1, 1, 8), IGNORED)
    targets[0, 0, 6] = 4
    weights, other = weights_of(1), weights_of(1)
    loss = build_engine(weights, torch.float64, answer_only=True).step_loss(
        inputs, targets
    )
    own = token_losses(other.named, SHAPE, inputs, targets.clamp(min=0))[0, 0, 6]
    assert loss.item() == pytest.approx(own.item(), rel=1e-9)
    [head] = torch.autograd.grad(own, [other.named["head"]])
    torch.testing.assert_close(weights.named_grad["head"], head, rtol=1e-7, atol=1e-12)


def test_where_all_counts_the_step_is_the_usual_one(batch):
    inputs, targets = batch[0], batch[1].clamp(min=0)
    usual, answers = weights_of(), weights_of()
    loss = build_engine(usual, torch.float64).step_loss(inputs, targets)
    same = build_engine(answers, torch.float64, answer_only=True).step_loss(
        inputs, targets
    )
    torch.testing.assert_close(loss, same, rtol=1e-12, atol=0)
    torch.testing.assert_close(usual.grad, answers.grad, rtol=1e-9, atol=1e-15)


def test_a_batch_of_prompts_alone_moves_nothing(batch):
    inputs, targets = batch[0], torch.full_like(batch[1], IGNORED)
    assert n_scored(targets).tolist() == [1, 1]
    for engine in engines().values():
        weights = weights_of()
        assert engine(weights).step_loss(inputs, targets).tolist() == [0, 0]
        assert not weights.grad.any()
