"""Hyperparameters tuned at one width and depth, carried to another: what each weight's start,
learning rate and decay are multiplied by.

With m = width / base width and l = layers / base layers:
    matrices inside   lr / m (muP for Adam: Yang et al. 2022), weight decay sqrt(m): in the steady
                      state of AdamW singular values go as sqrt(lr / decay) width^0.75, so this
                      keeps the gain of every sublayer (Fan et al. 2025)
    out, down         as if each branch were multiplied by 1 / l before it is added (CompleteP,
                      alpha = 1: Dey et al. 2025): start and lr / l, decay l; for Adam that is the
                      same function and the same steps, with no change to it
    embedding         unchanged; its input is one token whatever the width
    head              lr / m; it starts at zero and does not decay
Starts are already 1 / sqrt(fan-in). Nothing is scaled without a base.
"""

from dataclasses import dataclass

from stages.proxy.specs.shape import Shape


@dataclass(frozen=True)
class Factors:
    """Of one weight: what its start, learning rate and weight decay are multiplied by."""

    start: float = 1.0
    lr: float = 1.0
    decay: float = 1.0


def factors(
    shape: Shape, base_width: int | None, base_depth: int | None
) -> dict[str, Factors] | None:
    """Factors by kind of weight: embedding, qkv, up, out, down, head; None where there is no base.

    Example: `factors(Shape.named("3.1M"), 32, None)["qkv"] == Factors(1.0, 1 / 8, 8**0.5)`.
    """
    if base_width is None and base_depth is None:
        return None
    m = shape.d_model / base_width if base_width else 1.0
    branch = base_depth / shape.n_layers if base_depth else 1.0
    inside = Factors(1.0, 1 / m, m**0.5)
    joining = Factors(branch, branch / m, m**0.5 / branch)
    return {
        "embedding": Factors(),
        "qkv": inside,
        "up": inside,
        "out": joining,
        "down": joining,
        "router": inside,
        "head": Factors(1.0, 1 / m, 0.0),
    }


def kind_of_weight(name: str) -> str:
    """`3.qkv` is a qkv; embedding and head are themselves."""
    return name.rpartition(".")[2]
