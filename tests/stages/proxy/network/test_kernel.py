"""Hand-written gradients against autograd in float64, and the two engines against each other in fp32."""

from dataclasses import replace

import pytest
import torch

from stages.proxy.network import kernel
from stages.proxy.network.engine import AutogradEngine, DropoutMasks
from stages.proxy.network.kernel import KernelEngine
from stages.proxy.network.model import Weights
from stages.proxy.specs.shape import Shape

SHAPES = [Shape(16, 2, 2, 12, 30), Shape(24, 3, 1, 9, 20), Shape(8, 1, 4, 5, 50)]


def setting(shape, n_runs, rate=0.0, dtype=torch.float64):
    torch.manual_seed(0)
    weights = Weights(shape, range(n_runs), dtype=dtype)
    with torch.no_grad():
        weights.named["head"].normal_()
    inputs, targets = torch.randint(0, shape.vocab_size, (2, n_runs, 4, shape.context))
    keep = DropoutMasks(
        shape, list(range(n_runs)), [rate] * n_runs, torch.device("cpu")
    ).at(1, 4)
    return weights, inputs, targets, None if keep is None else keep.to(dtype)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n_runs", [1, 3])
@pytest.mark.parametrize("rate", [0.0, 0.4])
def test_losses_and_gradients_equal_autograd(shape, n_runs, rate, monkeypatch):
    monkeypatch.setattr(kernel, "HEAD_ROWS", 13)  # several uneven chunks of tokens
    weights, *batch = setting(shape, n_runs, rate)
    expected = AutogradEngine(weights).step_loss(*batch)
    gradient = weights.grad.clone()
    weights.grad.fill_(float("nan"))
    found = KernelEngine(weights).step_loss(*batch)
    assert torch.allclose(found, expected, rtol=1e-13, atol=0)
    assert (weights.grad - gradient).abs().max() < 1e-13 * gradient.abs().max()


@pytest.mark.parametrize(
    ("qk_norm", "z_loss"), [(False, 0.0), (True, 0.3), (False, 0.3)]
)
def test_options_equal_autograd_too(qk_norm, z_loss, monkeypatch):
    monkeypatch.setattr(kernel, "HEAD_ROWS", 13)
    weights, *batch = setting(replace(SHAPES[0], qk_norm=qk_norm), 2)
    expected = AutogradEngine(weights, z_loss=z_loss).step_loss(*batch)
    gradient = weights.grad.clone()
    found = KernelEngine(weights, z_loss=z_loss).step_loss(*batch)
    assert torch.allclose(found, expected, rtol=1e-13, atol=0)
    assert (weights.grad - gradient).abs().max() < 1e-13 * gradient.abs().max()
    plain = AutogradEngine(weights).step_loss(*batch)
    assert torch.allclose(
        plain, expected, rtol=1e-13
    )  # what is reported leaves the z-loss out
    assert torch.allclose(weights.grad, gradient) == (z_loss == 0)


def test_a_second_batch_of_another_size_reuses_nothing_stale():
    weights, inputs, targets, _ = setting(SHAPES[0], 2)
    engine, reference = KernelEngine(weights), AutogradEngine(weights)
    for context in (12, 7, 12, 1):
        part = inputs[:, :, :context], targets[:, :, :context]
        assert torch.allclose(
            engine.step_loss(*part), reference.step_loss(*part), rtol=1e-13
        )


@pytest.mark.parametrize("n_runs", [1, 2])
def test_token_losses_equal_the_reference(n_runs):
    weights, inputs, targets, _ = setting(SHAPES[0], n_runs, dtype=torch.float32)
    found = KernelEngine(weights).token_losses(inputs[0], targets[0])
    assert found.shape == (n_runs, 4, 12)
    assert torch.allclose(
        found,
        AutogradEngine(weights).token_losses(inputs[0], targets[0]),
        rtol=1e-4,
        atol=1e-5,
    )
