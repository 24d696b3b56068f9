import pytest
import torch

from stages.proxy.network.engine import AutogradEngine, DropoutMasks, build_engine
from stages.proxy.network.kernel import KernelEngine
from stages.proxy.network.model import Weights
from stages.proxy.specs.shape import Shape

SHAPE = Shape(16, 2, 2, 8, 20)
GPU = (
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    pytest.mark.filterwarnings("ignore"),
)


def test_the_kernel_serves_fp32_on_cpu():
    assert isinstance(build_engine(Weights(SHAPE, [0])), KernelEngine)


def test_dropout_follows_seed_and_step_alone_and_keeps_the_mean():
    masks = DropoutMasks(SHAPE, [1, 2, 3], [0.0, 0.25, 0.5], torch.device("cpu"))
    keep = masks.at(7, 50)
    assert keep.shape == (5, 3, 50, 8, 16)
    assert (keep[:, 0] == 1).all()
    assert sorted(keep[:, 2].unique().tolist()) == [0.0, 2.0]
    assert keep.mean((0, 2, 3, 4)).tolist() == pytest.approx([1, 1, 1], abs=0.02)
    assert torch.equal(masks.at(7, 50), keep)
    assert not torch.equal(masks.at(8, 50), keep)
    alone = DropoutMasks(SHAPE, [3], [0.5], torch.device("cpu")).at(7, 50)
    assert torch.equal(alone[:, 0], keep[:, 2])


def test_no_dropout_costs_nothing():
    assert DropoutMasks(SHAPE, [1], [0.0], torch.device("cpu")).at(0, 4) is None


def test_half_precision_products_stay_close_on_cpu():
    weights = Weights(SHAPE, [0, 1])
    with torch.no_grad():
        weights.named["head"].normal_()
    inputs, targets = torch.randint(0, 20, (2, 2, 6, 8))
    exact = AutogradEngine(weights).step_loss(inputs, targets)
    gradient = weights.grad.clone()
    for engine in (
        build_engine(weights, torch.bfloat16),
        AutogradEngine(weights, torch.bfloat16),
    ):
        half = engine.step_loss(inputs, targets)
        assert half.dtype == torch.float32
        assert torch.allclose(half, exact, rtol=0.02)
        assert (
            torch.nn.functional.cosine_similarity(weights.grad, gradient).min() > 0.99
        )


def loss_and_gradient(n_runs, device, dtype, weights_dtype=torch.float32):
    tokens = torch.randint(
        0, 20, (2, n_runs, 6, 8), generator=torch.Generator().manual_seed(0)
    ).to(device)
    weights = Weights(SHAPE, range(n_runs), device, weights_dtype)
    with torch.no_grad():
        head = weights.named["head"]
        head.copy_(torch.linspace(-1, 1, head.numel()).view_as(head))
    make = AutogradEngine if weights_dtype == torch.float64 else build_engine
    loss = make(weights, dtype).step_loss(*tokens)
    return loss.double().cpu(), weights.grad.double().cpu()


@pytest.mark.parametrize(
    ("device", "dtype", "tolerance"),
    [
        ("cpu", torch.float32, 1e-4),
        ("cpu", torch.bfloat16, 2e-2),
        pytest.param("cuda", torch.float32, 1e-4, marks=GPU),
        pytest.param("cuda", torch.bfloat16, 2e-2, marks=GPU),
    ],
)
@pytest.mark.parametrize("n_runs", [1, 4, 64])
def test_losses_and_gradients_are_those_of_float64(device, dtype, tolerance, n_runs):
    """By the norm of the gradient's error over that of the gradient: of all runs, and of each within twice that, as
    a run of 48 tokens averages little of bfloat16's rounding away.
    """
    exact_loss, exact = loss_and_gradient(
        n_runs, "cpu", torch.float32, weights_dtype=torch.float64
    )
    loss, gradient = loss_and_gradient(n_runs, device, dtype)
    assert torch.allclose(loss, exact_loss, rtol=tolerance)
    each = (gradient - exact).norm(dim=1) / exact.norm(dim=1)
    together = (gradient - exact).norm() / exact.norm()
    assert together < tolerance
    assert each.max() < 2 * tolerance
