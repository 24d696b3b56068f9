"""Batches that do not fit at once, activations that are made again, documents kept apart: the same
numbers as without.
"""

import numpy as np
import pytest
import torch

from stages.proxy.network.engine import AutogradEngine, build_engine
from stages.proxy.network.kernel import KernelEngine
from stages.proxy.network.model import Weights, n_dropout_sites
from stages.proxy.specs.shape import Shape

SHAPE = Shape(d_model=16, n_layers=2, n_heads=2, context=8, vocab_size=32)


def setting(shape=SHAPE, n_runs=2, n_sequences=6, dropped=True):
    random = torch.Generator().manual_seed(0)
    weights = Weights(shape, range(n_runs), dtype=torch.float64)
    weights.flat.normal_(generator=random).mul_(0.2)
    tokens = torch.randint(
        0, shape.vocab_size, (2, n_runs, n_sequences, shape.context), generator=random
    )
    size = (n_dropout_sites(shape), n_runs, n_sequences, shape.context, shape.d_model)
    keep = (
        (torch.rand(size, generator=random, dtype=torch.float64) > 0.3) / 0.7
        if dropped
        else None
    )
    return weights, tokens[0], tokens[1], keep


@pytest.mark.parametrize(
    "options",
    [
        {"micro_sequences": 1},
        {"micro_sequences": 4},
        {"recompute": True},
        {"micro_sequences": 2, "recompute": True},
    ],
)
def test_accumulated_and_recomputed_gradients_are_those_of_the_whole_batch(options):
    weights, *batch = setting()
    expected, gradient = AutogradEngine(weights).step_loss(*batch), weights.grad.clone()
    weights.grad.fill_(float("nan"))
    found = AutogradEngine(weights, **options).step_loss(*batch)
    assert torch.allclose(found, expected, rtol=1e-13) and torch.allclose(
        weights.grad, gradient, rtol=1e-10, atol=1e-14
    )


def test_a_document_does_not_see_the_one_before():
    weights, inputs, targets, _ = setting(dropped=False)
    inputs[:, :, 4] = 0  # a document ends: the second one begins with its end mark
    engine = AutogradEngine(weights, eos_id=0)
    with torch.no_grad():
        losses = engine._losses(
            weights.named, SHAPE, inputs, targets, None, None, 0.0, 0
        )[0]
        alone = engine._losses(
            weights.named,
            SHAPE,
            inputs[:, :, 4:],
            targets[:, :, 4:],
            None,
            None,
            0.0,
            0,
        )[0]
        joined = AutogradEngine(weights)._losses(weights.named, SHAPE, inputs, targets)[
            0
        ]
        changed = inputs.clone()
        changed[:, :, :4] = (changed[:, :, :4] + 5) % 31 + 1
        other = engine._losses(
            weights.named, SHAPE, changed, targets, None, None, 0.0, 0
        )[0]
    assert torch.allclose(losses[:, :, 4:], other[:, :, 4:], rtol=1e-12)
    assert torch.allclose(
        losses[:, :, 4:], alone, rtol=1e-10
    )  # rotary positions are relative
    assert not torch.allclose(losses[:, :, 4:], joined[:, :, 4:], rtol=1e-3)


def test_the_kernel_is_taken_only_where_it_computes_what_is_asked():
    weights = Weights(SHAPE, [0])
    assert isinstance(build_engine(weights), KernelEngine)
    for options in ({"eos_id": 0}, {"micro_sequences": 1}, {"recompute": True}):
        assert isinstance(build_engine(weights, **options), AutogradEngine)
    experts = SHAPE.with_experts(4, 2)
    assert isinstance(build_engine(Weights(experts, [0])), AutogradEngine)
    assert np.isfinite(
        build_engine(Weights(experts, [0]))
        .token_losses(*torch.zeros(2, 1, 8, dtype=torch.int64))
        .numpy()
    ).all()
