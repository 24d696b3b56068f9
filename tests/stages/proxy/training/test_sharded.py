"""Weights, gradients and moments spread over processes: the same losses, files that any number of
processes reads, and bytes.
"""

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch.testing._internal.distributed.fake_pg import FakeStore

from stages.foundation.errors import InputError
from stages.proxy.network.engine import AutogradEngine
from stages.proxy.network.model import Weights
from stages.proxy.specs.shape import Shape
from stages.proxy.specs.transfer import factors
from stages.proxy.training.ranks import replicas_fit, train_on_ranks
from stages.proxy.training.sharded import (
    ShardedAdamW,
    ShardedEngine,
    ShardedWeights,
    sharded_parts,
)
from stages.proxy.training.train import train_group
from stages.proxy.workforce import gpus

SHAPE = Shape(16, 3, 2, 32, 64)


def test_a_run_goes_from_one_process_to_two_shards_and_back(
    data, make_spec, tmp_path, monkeypatch
):
    """Killed alone inside a branch, killed as two shards inside the next, finished alone: as
    undisturbed to fp32 rounding.
    """
    spec = make_spec(
        shape=SHAPE,
        budgets_tokens=(1280, 2560),
        base_width=8,
        base_depth=2,
        dropout=0.1,
        z_loss=1e-4,
        documents_apart=True,
    )
    [whole] = train_group([spec], data, device="cpu", curve_every=1)
    kept = {
        "device": "cpu",
        "checkpoint": tmp_path / "c.pt",
        "checkpoint_every_steps": 3,
        "curve_every": 1,
    }

    def stop(step):
        if step == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_group([spec], data, on_step=stop, **kept)
    alone = torch.load(tmp_path / "c.pt", weights_only=True)["state"]
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    with pytest.raises(
        RuntimeError, match="ValueError"
    ):  # at step 22, which this tuple does not hold; a function of a test has no module there
        train_on_ranks(
            [spec],
            data,
            2,
            sharded=True,
            micro_sequences=1,
            recompute=True,
            on_step=tuple(range(22)).index,
            **kept,
        )
    both = torch.load(tmp_path / "c.pt", weights_only=True)["state"]
    assert (alone["record"]["n_steps"], both["record"]["n_steps"]) == (9, 21) and both[
        "place"
    ]["trunk"]["first"].shape == (1, SHAPE.n_params_total)
    assert "weights and moments spread over 2 devices" in both["record"]["notes"]
    [back] = train_group([spec], data, **kept)
    assert np.allclose(back.curve["loss_nats"], whole.curve["loss_nats"], rtol=1e-4)
    assert back.budgets[-1].held_out["held"].loss_nats == pytest.approx(
        whole.budgets[-1].held_out["held"].loss_nats, rel=1e-4
    )
    assert back.budgets[0].held_out["held"].loss_nats == pytest.approx(
        whole.budgets[0].held_out["held"].loss_nats, rel=1e-4
    )


@pytest.fixture
def one_process():
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_losses_and_gradients_are_those_of_the_reference(one_process, dtype):
    """Layers are gathered in bfloat16 where the reference casts to it, and nothing else is rounded."""
    flat = Weights(SHAPE, [3])
    with torch.no_grad():
        flat.flat.normal_(generator=torch.Generator().manual_seed(0)).mul_(0.3)
    weights = ShardedWeights(SHAPE, "cpu", dtype)
    weights.fill(flat.named.values())
    reference, sharded = AutogradEngine(flat, dtype), ShardedEngine(weights, dtype)
    inputs, targets = torch.randint(
        0, 64, (2, 1, 4, 32), generator=torch.Generator().manual_seed(1)
    )
    assert torch.equal(
        reference.step_loss(inputs, targets), sharded.step_loss(inputs, targets)
    )
    assert torch.equal(
        flat.grad[0],
        torch.cat(
            [weight.grad.full_tensor().flatten() for weight in weights.shards.values()]
        ),
    )
    assert torch.equal(
        reference.token_losses(inputs[0], targets[0]),
        sharded.token_losses(inputs[0], targets[0]),
    )


@pytest.fixture
def four_processes():
    """This process as the first of four that do not exist: layouts are real, sums are not."""
    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=4)
    yield
    dist.destroy_process_group()


def test_a_device_of_four_holds_a_quarter_of_everything(four_processes):
    weights = ShardedWeights(SHAPE)
    optimiser = ShardedAdamW(weights, 0.01, 0.1)
    state = optimiser.state()
    held = {
        what: sum(part.nbytes for part in state[what])
        for what in ("flat", "first", "second")
    }
    assert held == dict.fromkeys(held, SHAPE.n_params_total * 4 // 4)
    one = Weights(SHAPE, [3])
    weights.fill(one.named.values())
    assert torch.equal(
        weights.shards["1.up"].to_local(), one.named["1.up"][0, :16].detach()
    )


def test_groups_learn_and_decay_as_in_the_flat_optimiser(four_processes):
    transfer = factors(SHAPE, 8, None)
    groups = dict(
        zip(
            weights_of := list(Weights(SHAPE, [0]).sizes),
            ShardedAdamW(ShardedWeights(SHAPE), 0.02, 0.5, transfer).torch.param_groups,
            strict=True,
        )
    )
    assert (
        weights_of[0] == "embedding"
        and groups["embedding"]["weight_decay"] == groups["head"]["weight_decay"] == 0
    )
    assert (
        groups["embedding"]["peak"],
        groups["head"]["peak"],
        groups["0.qkv"]["peak"],
    ) == (0.02, 0.01, 0.01)
    assert groups["2.up"]["weight_decay"] == pytest.approx(0.5 * 2**0.5)


def test_only_what_does_not_fit_a_card_is_sharded_and_then_one_at_a_time(make_spec):
    small, large = make_spec(), make_spec(shape=Shape(512, 4, 8, 32, 64))
    room = 300e6
    assert replicas_fit(small, room) and not replicas_fit(large, room)
    assert list(gpus.spread([[small, small], [large, large]], room)) == [
        [small, small],
        [large],
        [large],
    ]
    with pytest.raises(InputError, match="2 runs in one group cannot be sharded"):
        sharded_parts(SHAPE, [small, small], torch.device("cpu"), None, {})
