"""Mixture of experts: counts, gradients, the dense model as a special case, and training."""

import pytest
import torch
import torch.nn.functional as F

from stages.foundation.errors import InputError
from stages.proxy.network import experts
from stages.proxy.network.engine import AutogradEngine
from stages.proxy.network.model import Weights
from stages.proxy.specs.shape import Shape
from stages.proxy.training.train import train_group

DENSE = Shape(d_model=16, n_layers=2, n_heads=2, context=8, vocab_size=32)
MIXED = DENSE.with_experts(6, 2)


def made(shape, n_runs=2, seed=0):
    weights = Weights(shape, range(n_runs), dtype=torch.float64)
    weights.flat.normal_(generator=torch.Generator().manual_seed(seed)).mul_(0.3)
    return weights


def one_by_one(x, weights, layer, shape, run):
    """The same mixture, token by token and expert by expert (N, D)."""
    out = []
    for token in x[run].reshape(-1, shape.d_model):
        scores = weights[f"{layer}.router"][run] @ token
        best, chosen = scores.topk(shape.top_k)
        parts = []
        for expert in chosen.tolist():
            up = weights[f"{layer}.up"][run].view(
                shape.n_experts, shape.expert_width, -1
            )[expert]
            down = weights[f"{layer}.down"][run].view(
                shape.n_experts, shape.d_model, -1
            )[expert]
            parts.append(down @ F.relu(up @ token).square())
        out.append((best.softmax(-1)[:, None] * torch.stack(parts)).sum(0))
    return torch.stack(out)


def test_parameters_are_counted_by_use_and_in_all():
    assert MIXED.expert_width == 32 and Weights(MIXED, [0]).flat.shape == (
        1,
        MIXED.n_params_total,
    )
    router = MIXED.n_layers * 6 * 16
    assert MIXED.n_params == DENSE.n_params + router  # two experts of half the width
    assert (
        MIXED.n_params_total
        == DENSE.n_params_total + router + MIXED.n_layers * 4 * 2 * 32 * 16
    )
    assert DENSE.with_experts(6, 2, granularity=2).expert_width == 16
    assert (
        MIXED.mixture_variables == {"activation_ratio": 1 / 3, "granularity": 1.0}
        and DENSE.mixture_variables == {}
    )
    with pytest.raises(InputError, match="top_k from 1"):
        DENSE.with_experts(2, 3)


def test_batched_experts_do_what_one_after_another_would():
    weights = made(MIXED)
    x = torch.randn(
        2, 3, 8, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    out, balance = experts.mix(x, weights.named, 0, MIXED)
    for run in range(2):
        expected = one_by_one(x, weights.named, 0, MIXED, run)
        assert torch.allclose(
            out[run].reshape(-1, 16), expected, rtol=1e-10, atol=1e-12
        )
    assert ((balance > 0.5 * experts.BALANCE) & (balance < 6 * experts.BALANCE)).all()


def test_gradients_are_those_of_finite_differences():
    shape = DENSE.with_experts(3, 2)
    weights = made(shape, n_runs=1)
    tokens = torch.randint(
        0, 32, (2, 1, 2, 8), generator=torch.Generator().manual_seed(2)
    )
    engine = AutogradEngine(weights)

    def objective():
        with torch.no_grad():
            losses, balance = engine._losses(weights.named, shape, tokens[0], tokens[1])
            return float(losses.mean() + balance.sum())

    engine.step_loss(tokens[0], tokens[1])
    direction = torch.randn(
        weights.flat.shape,
        generator=torch.Generator().manual_seed(3),
        dtype=torch.float64,
    )
    slope = float((weights.grad * direction).sum())
    with torch.no_grad():
        weights.flat.add_(1e-6 * direction)
        above = objective()
        weights.flat.sub_(2e-6 * direction)
    assert (above - objective()) / 2e-6 == pytest.approx(slope, rel=1e-5)


def test_one_expert_is_the_dense_model():
    dense, one = (
        made(DENSE),
        Weights(DENSE.with_experts(1, 1), range(2), dtype=torch.float64),
    )
    with torch.no_grad():
        for name, weight in dense.named.items():
            one.named[name].copy_(weight)
    tokens = torch.randint(0, 32, (2, 3, 8), generator=torch.Generator().manual_seed(4))
    assert torch.allclose(
        AutogradEngine(one).token_losses(*tokens),
        AutogradEngine(dense).token_losses(*tokens),
        rtol=1e-12,
    )


def test_every_second_layer_may_have_experts_and_the_others_stay_dense(data, make_spec):
    shape = DENSE.with_experts(6, 2, every=2)
    weights = Weights(shape, [0])
    assert [name for name in weights.sizes if "router" in name] == [
        "1.router"
    ] and weights.sizes["0.up"] == (64, 16)
    assert (
        weights.flat.shape == (1, shape.n_params_total)
        and shape.n_params == DENSE.n_params + 6 * 16
    )
    assert shape.mixture_variables == {
        "activation_ratio": 1 / 3,
        "granularity": 1.0,
        "expert_layers": 0.5,
    }
    small = make_spec().shape.with_experts(4, 2, every=2)
    [result] = train_group(
        [make_spec(shape=small, budgets_tokens=(1280, 6400))], data, device="cpu"
    )
    assert (
        result.budgets[1].held_out["held"].loss_nats
        < result.budgets[0].held_out["held"].loss_nats - 0.1
    )
    with pytest.raises(InputError, match="experts in every 3. layer of 2"):
        DENSE.with_experts(6, 2, every=3)


def test_a_stack_of_mixtures_learns_as_each_alone(data, make_spec):
    shape = make_spec().shape.with_experts(4, 2)
    specs = [
        make_spec(shape=shape, seed=seed, budgets_tokens=(1280, 12_800))
        for seed in (1, 2)
    ]
    stacked = train_group(specs, data, device="cpu")
    [alone] = train_group(specs[:1], data, device="cpu")
    first, last = (budget.held_out["held"].loss_nats for budget in stacked[0].budgets)
    assert last < first - 0.3
    assert alone.budgets[-1].held_out["held"].loss_nats == pytest.approx(last, rel=2e-3)
    assert stacked[0].budgets[-1].flops == 6.0 * shape.n_params * 12_800
