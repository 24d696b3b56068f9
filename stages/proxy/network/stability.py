"""What foretells an unstable run: how large attention logits grow, and how small gradients become.

The softmax of attention collapses where its logits pass about 1e4, and AdamW stands still where the root mean square
of the gradient nears its epsilon; both are seen in small models first (Wortsman et al. 2023, sections 3.1 and 3.4).
Cost: a forward pass over one sequence, and a pass over the gradient. No value of a run changes.
"""

import torch

from stages.proxy.network import model
from stages.proxy.specs.shape import Shape


@torch.no_grad()
def largest_logit(
    weights: dict[str, torch.Tensor], shape: Shape, inputs: torch.Tensor
) -> torch.Tensor:
    """Largest absolute attention logit of each run (R,) over layers, heads and the pairs that see each other.

    inputs (R, B, T): of some sequences; documents are not kept apart, dropout is off.
    """
    turn = model.rotary(shape, inputs.shape[-1], weights["embedding"])
    runs = torch.arange(len(inputs), device=inputs.device)[:, None, None]
    x, most = weights["embedding"][runs, inputs], None
    for layer in range(shape.n_layers):
        logits = model.attention_logits(x, weights, layer=layer, shape=shape, turn=turn)
        found = logits.tril().abs().flatten(1).amax(1)  # (R B H,) of each head
        found = found.view(len(inputs), -1).amax(1)
        most = found if most is None else torch.maximum(most, found)
        x, _ = model.one_layer(x, weights, layer, shape, turn, None, None)
    assert most is not None  # a model has a layer
    return most


def gradient_rms(grad: torch.Tensor) -> torch.Tensor:
    """Root mean square of each run's gradient (R,), before it is clipped. grad (R, P)."""
    return torch.linalg.vector_norm(grad, dim=1) / grad.shape[1] ** 0.5
