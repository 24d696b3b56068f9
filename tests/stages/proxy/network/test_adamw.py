import pytest
import torch

from stages.proxy.network.adamw import BETA1, BETA2, CLIP_NORM, AdamW, one_update
from stages.proxy.network.model import Weights
from stages.proxy.specs.shape import Shape
from stages.proxy.specs.transfer import factors, kind_of_weight

SHAPE = Shape(8, 1, 2, 4, 10)


@pytest.mark.parametrize("scale", [1e-3, 10.0])
def test_every_run_steps_as_torch_would(scale):
    """Per-run learning rate, decay on the inner matrices, clipping of each run by its own norm."""
    lr, decay, factors = [0.01, 0.002], [0.1, 1.0], [0.5, 1.0, 0.25, 0.0]
    weights = Weights(SHAPE, [1, 2], dtype=torch.float64)
    ours = AdamW(weights, lr, decay)
    gradients = [
        torch.randn(
            weights.flat.shape,
            dtype=torch.float64,
            generator=torch.Generator().manual_seed(i),
        )
        * scale
        for i in range(4)
    ]
    expected = [
        reference(
            weights, run, lr[run], decay[run], [g[run] for g in gradients], factors
        )
        for run in range(2)
    ]
    for gradient, factor in zip(gradients, factors, strict=True):
        weights.grad.copy_(gradient)
        ours.step(factor)
    assert torch.allclose(weights.flat, torch.stack(expected), rtol=1e-6, atol=1e-9)


def reference(weights, run, lr, decay, gradients, factors):
    sizes = [80, weights.flat.shape[1] - 160, 80]  # embedding, inner matrices, head
    parts = [
        torch.nn.Parameter(part.clone()) for part in weights.flat[run].split(sizes)
    ]
    groups = [
        {"params": parts[::2], "weight_decay": 0.0},
        {"params": parts[1:2], "weight_decay": decay},
    ]
    optimiser = torch.optim.AdamW(groups, lr=lr, betas=(BETA1, BETA2), eps=1e-8)
    for gradient, factor in zip(gradients, factors, strict=True):
        for part, values in zip(parts, gradient.split(sizes), strict=True):
            part.grad = values.clone()
        torch.nn.utils.clip_grad_norm_(parts, CLIP_NORM)
        for group in optimiser.param_groups:
            group["lr"] = lr * factor
        optimiser.step()
    return torch.cat([part.detach() for part in parts])


def test_one_broken_run_leaves_the_others_alone():
    weights = Weights(SHAPE, [1, 2])
    optimiser = AdamW(weights, [0.01, 0.01], [0.1, 0.1])
    weights.grad.fill_(1.0)
    weights.grad[0] = float("nan")
    optimiser.step(1.0)
    assert weights.flat[0].isnan().all()
    assert weights.flat[1].isfinite().all()


def test_a_saved_state_is_a_copy_that_restores_exactly():
    weights = Weights(SHAPE, [1])
    optimiser = AdamW(weights, [0.01], [0.1])

    def steps(n):
        for i in range(n):
            weights.grad.copy_(
                torch.randn(
                    weights.flat.shape, generator=torch.Generator().manual_seed(i)
                )
            )
            optimiser.step(1.0)
        return weights.flat.clone()

    steps(3)
    saved = optimiser.state()
    first = steps(4)
    optimiser.load(saved)
    assert torch.equal(steps(4), first)
    assert optimiser.n_steps == 7


@pytest.mark.parametrize("transfer", [None, factors(SHAPE, 4, 2)])
def test_the_compiled_update_of_a_gpu_is_the_same_arithmetic(transfer):
    made = []
    for fused in (False, True):
        weights = Weights(SHAPE, [1, 2])
        optimiser = AdamW(weights, [0.01, 0.02], [0.1, 1.0], transfer)
        for step in range(4):
            weights.grad.normal_(generator=torch.Generator().manual_seed(step))
            if fused:
                optimiser.n_steps += 1
                with torch.no_grad():
                    optimiser.update(0.7, optimiser.n_steps, one_update)
            else:
                optimiser.step(0.7)
        made.append(weights.flat.detach().clone())
    assert torch.allclose(*made, rtol=1e-5, atol=1e-7)


def test_transferred_rates_step_as_torch_with_a_group_for_each_weight():
    shape = Shape(16, 2, 2, 4, 10)
    transfer = factors(shape, 4, 1)
    weights = Weights(shape, [1], dtype=torch.float64)
    expected = {
        name: torch.nn.Parameter(weight[0].detach().clone())
        for name, weight in weights.named.items()
    }
    groups = [
        {
            "params": [weight],
            "lr": 0.01 * (part := transfer[kind_of_weight(name)]).lr,
            "weight_decay": part.decay * (name not in ("embedding", "head")),
        }
        for name, weight in expected.items()
    ]
    theirs, ours = (
        torch.optim.AdamW(groups, betas=(BETA1, BETA2)),
        AdamW(weights, [0.01], [1.0], transfer),
    )
    for step in range(4):
        weights.grad.copy_(
            0.001
            * torch.randn(
                weights.flat.shape, generator=torch.Generator().manual_seed(step)
            )
        )
        for name, weight in expected.items():
            weight.grad = weights.named_grad[name][0].clone()
        theirs.step()
        ours.step(1.0)
    for name, weight in expected.items():
        assert torch.allclose(weights.named[name][0], weight, rtol=1e-6, atol=1e-9), (
            name
        )
