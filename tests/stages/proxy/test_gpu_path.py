"""What only a card can show: the compiled update, no waiting host, batches in parts. Skipped where there is none."""

import pytest
import torch

from stages.proxy.network.adamw import AdamW, one_update
from stages.proxy.network.engine import AutogradEngine, build_engine
from stages.proxy.network.model import Weights
from stages.proxy.specs.shape import Shape
from stages.proxy.tokens.order import Stream
from stages.proxy.training.data import Feed
from stages.proxy.training.train import train_group

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
    pytest.mark.filterwarnings("ignore"),
]
SHAPE = Shape(64, 2, 1, 32, 64)


def test_the_compiled_update_is_the_plain_one():
    made = []
    for update in (one_update, None):
        weights = Weights(SHAPE, [1, 2], "cuda")
        optimiser = AdamW(weights, [0.01, 0.02], [0.1, 1.0])
        for step in range(4):
            weights.grad.copy_(
                torch.randn(
                    weights.grad.shape, generator=torch.Generator().manual_seed(step)
                )
            )
            optimiser.n_steps += 1
            with torch.no_grad():
                optimiser.update(0.7, optimiser.n_steps, update)
        made.append(weights.flat.detach().clone())
    assert torch.allclose(*made, rtol=1e-5, atol=1e-7)


def test_the_host_never_waits_inside_a_step(data):
    weights = Weights(SHAPE, [1, 2], "cuda")
    engine, optimiser = (
        build_engine(weights, torch.bfloat16),
        AdamW(weights, [0.01] * 2, [0.1] * 2),
    )
    feed = Feed(
        [Stream(data.views["all"], 1), Stream(data.views["all"], 2)],
        128,
        32,
        torch.device("cuda"),
    )
    for step in range(6):
        inputs, targets = feed.at(step)
        torch.cuda.set_sync_debug_mode("error" if step > 2 else "default")
        try:
            engine.step_loss(inputs, targets)
            optimiser.step(1.0)
        finally:
            torch.cuda.set_sync_debug_mode("default")


def test_a_batch_cut_in_parts_gives_the_gradient_of_the_whole():
    weights = Weights(SHAPE, [1], "cuda")
    tokens = torch.randint(0, 64, (2, 1, 8, 32), device="cuda")
    gradients = []
    for options in ({}, {"micro_sequences": 2, "recompute": True}):
        AutogradEngine(weights, torch.float32, compiled=False, **options).step_loss(
            tokens[0], tokens[1]
        )
        gradients.append(weights.grad.clone())
    assert torch.allclose(*gradients, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"dropout": 0.1, "base_width": 8}])
def test_recorded_steps_are_the_plain_ones(data, make_spec, options):
    specs = [make_spec(seed=seed, dtype="float32", **options) for seed in (1, 2)]
    plain, recorded = (
        train_group(specs, data, device="cuda", graphs=graphs, curve_every=1)
        for graphs in (False, True)
    )
    for a, b in zip(plain, recorded, strict=True):
        assert a.curve["loss_nats"] == pytest.approx(b.curve["loss_nats"], rel=1e-5)
        assert a.budgets[-1].held_out["held"].loss_nats == pytest.approx(
            b.budgets[-1].held_out["held"].loss_nats, rel=1e-5
        )
        assert not [note for note in b.notes if "could not be recorded" in note]
