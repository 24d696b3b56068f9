"""What CUDA compiles, traced on CPU: one graph without breaks, the same numbers, and no new compilation a step."""

import pytest
import torch

from stages.proxy.network import model
from stages.proxy.network.adamw import AdamW, one_update
from stages.proxy.network.model import Weights
from stages.proxy.specs.shape import Shape

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's own while tracing
SHAPE = Shape(16, 1, 2, 8, 32)


def test_the_loss_is_one_graph_with_every_option():
    options = 1e-4, 0, True  # z-loss, documents apart, activations made again
    weights, tokens = (
        Weights(SHAPE, [0, 1]),
        torch.randint(0, 32, (2, 2, 3, 8), generator=torch.Generator().manual_seed(0)),
    )
    traced = torch.compile(
        model.losses_and_more, dynamic=False, fullgraph=True, backend="aot_eager"
    )
    found = []
    for function in (model.losses_and_more, traced):
        losses, more = function(
            weights.named,
            SHAPE,
            tokens[0],
            tokens[1],
            None,
            model.rotary(SHAPE, 8, weights.flat),
            *options,
        )
        found.append(
            (
                losses,
                torch.autograd.grad(
                    (losses.mean((1, 2)) + more).sum(), list(weights.named.values())
                ),
            )
        )
    assert torch.allclose(found[0][0], found[1][0], rtol=1e-5)
    assert all(
        torch.allclose(one, other, rtol=1e-4, atol=1e-6)
        for one, other in zip(found[0][1], found[1][1], strict=True)
    )


def test_the_update_compiles_once_whatever_the_step_and_its_rate():
    weights, graphs = Weights(SHAPE, [0, 1]), []

    def backend(graph, _inputs):
        graphs.append(graph)
        return graph.forward

    update, optimiser = (
        torch.compile(one_update, dynamic=False, fullgraph=True, backend=backend),
        AdamW(weights, [0.01, 0.02], [0.1, 0.1]),
    )
    for step in range(4):
        weights.grad.fill_(0.1)
        optimiser.n_steps += 1
        with torch.no_grad():
            optimiser.update(1.0 - 0.2 * step, optimiser.n_steps, update)
    assert len(graphs) == 1
