"""The weights of a proxy by name, in storage order, with rows and columns of each; no torch.

What a checkpoint file holds, what the network keeps and what the optimiser moves: the embedding first, then of each
layer `qkv` (query, key, value below each other), `out`, `up` and `down` (or `router`, `up`, `down` of its experts, one
below the other), the head last.
"""

from stages.proxy.specs.shape import MLP_RATIO, Shape

Sizes = dict[str, tuple[int, int]]


def weight_sizes(shape: Shape) -> Sizes:
    """Rows and columns of every weight in storage order.

    >>> shape = Shape(d_model=4, n_layers=1, n_heads=1, context=8, vocab_size=16)
    >>> weight_sizes(shape)["0.qkv"], list(weight_sizes(shape))[-1]
    ((12, 4), 'head')
    """
    d, sizes = shape.d_model, {"embedding": (shape.vocab_size, shape.d_model)}
    for layer in range(shape.n_layers):
        sizes[f"{layer}.qkv"] = (3 * d, d)
        sizes[f"{layer}.out"] = (d, d)
        if shape.has_experts(layer):
            sizes |= expert_sizes(shape, layer)
        else:
            sizes[f"{layer}.up"] = (MLP_RATIO * d, d)
            sizes[f"{layer}.down"] = (d, MLP_RATIO * d)
    return sizes | {"head": (shape.vocab_size, d)}


def expert_sizes(shape: Shape, layer: int) -> Sizes:
    """Rows and columns of a layer's router and of its experts, one below the other."""
    e, w, d = shape.n_experts, shape.expert_width, shape.d_model
    return {
        f"{layer}.router": (e, d),
        f"{layer}.up": (e * w, d),
        f"{layer}.down": (e * d, w),
    }
