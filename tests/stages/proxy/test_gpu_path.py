"""What only a card can show: the compiled update, no waiting host, batches in parts. Skipped where there is none."""

import pytest
import torch

from stages.proxy.network.adamw import AdamW, one_update
from stages.proxy.network.engine import AutogradEngine, build_engine
from stages.proxy.network.graphs import UNRECORDED
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


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"dropout": 0.1, "base_width": 8},
        {"decay_arm": "half", "documents_apart": True, "z_loss": 1e-3},
        {"grown_from": 1, "growth_tokens": 640},
    ],
)
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
        assert not [note for note in b.notes if note.startswith(UNRECORDED)]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("compiled", [True, False])
def test_a_resumed_run_is_the_undisturbed_one_to_the_bit(
    data, make_spec, tmp_path, dtype, compiled
):
    specs = [make_spec(seed=seed, dtype=dtype, dropout=0.1) for seed in (1, 2)]

    def kill(step):
        if step == 21:
            raise KeyboardInterrupt

    options = {"device": "cuda", "compiled": compiled, "curve_every": 1}
    whole = train_group(specs, data, **options)
    options |= {"checkpoint": tmp_path / "c.pt", "checkpoint_every_steps": 8}
    with pytest.raises(KeyboardInterrupt):
        train_group(specs, data, **options, on_step=kill)
    resumed = train_group(specs, data, **options)
    for a, b in zip(whole, resumed, strict=True):
        assert a.curve["loss_nats"] == b.curve["loss_nats"]
        for one, other in zip(a.budgets, b.budgets, strict=True):
            assert one.held_out["held"].loss_nats == other.held_out["held"].loss_nats


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 1e-4), ("bfloat16", 2e-2)]
)
def test_a_run_among_64_is_the_run_alone(data, make_spec, dtype, tolerance):
    specs = [make_spec(seed=seed, dtype=dtype) for seed in range(64)]
    [alone] = train_group(specs[5:6], data, device="cuda")
    among = train_group(specs, data, device="cuda")[5]
    for one, other in zip(alone.budgets, among.budgets, strict=True):
        assert other.held_out["held"].loss_nats == pytest.approx(
            one.held_out["held"].loss_nats, rel=tolerance
        )
