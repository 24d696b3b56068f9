"""Floors of a training step: operations and bytes of each part of a stacked proxy, and which of the
two bounds it.

A part takes at least max(operations / peak, bytes / bandwidth) seconds; the sum over the parts is
the floor of a step, and the operations of the step over the floor is the highest MFU that any
program with these parts can reach. Bytes assume that every part reads its inputs and writes its
outputs once in bfloat16 (elementwise work fused into one pass a branch, attention never stored),
fp32 master weights, gradients and moments, and a cast of the weights a step.
"""

from dataclasses import dataclass

from stages.proxy.specs.shape import MLP_RATIO, Shape

HALF, FULL = 2, 4  # bytes of bfloat16 and fp32
BACKWARD = 3  # forward and two products a weight, in operations and about in bytes
# read weight, gradient and two moments, write weight and two moments
UPDATE_BYTES = 7 * FULL
CAST_BYTES = FULL + HALF  # read a master weight, write its bfloat16 copy
# written in bfloat16 by the product, read and written into the flat buffer as fp32
GRADIENT_BYTES = HALF + FULL + FULL


@dataclass(frozen=True)
class Part:
    """A part of one step of all runs: floating-point operations and bytes moved to and from memory."""

    name: str
    flops: float
    n_bytes: float

    def seconds(self, peak: float, bandwidth: float) -> float:
        return max(self.flops / peak, self.n_bytes / bandwidth)

    def bound(self, peak: float, bandwidth: float) -> str:
        return (
            "arithmetic" if self.flops / peak >= self.n_bytes / bandwidth else "memory"
        )


def product(
    name: str, n_runs: int, n_tokens: int, columns: int, rows: int, times: int
) -> Part:
    """`times` maps of columns to rows over n_tokens of each run, forward and backward."""
    flops = 2 * n_tokens * columns * rows
    moved = HALF * (n_tokens * (columns + rows) + columns * rows)
    return Part(
        name, BACKWARD * n_runs * times * flops, BACKWARD * n_runs * times * moved
    )


def step_parts(shape: Shape, batch_tokens: int, n_runs: int) -> list[Part]:
    """Every part of one training step of `n_runs` stacked runs of `batch_tokens` each."""
    d, n, layers, words = shape.d_model, batch_tokens, shape.n_layers, shape.vocab_size
    activation = n_runs * n * d * HALF
    weights = n_runs * shape.n_params_total
    return [
        product("query, key, value", n_runs, n, d, 3 * d, layers),
        product("output map", n_runs, n, d, d, layers),
        product("MLP up", n_runs, n, d, MLP_RATIO * d, layers),
        product("MLP down", n_runs, n, MLP_RATIO * d, d, layers),
        # scores and values over half of the context; the backward pass makes the scores again
        Part(
            "attention",
            layers * n_runs * n * 2 * d * (shape.context + 1) * 3.5,
            layers * activation * (4 + 9),
        ),
        # forward: two norms, norm and rotation of query and key, two residual sums, relu squared; backward twice that
        Part(
            "elementwise",
            0.0,
            layers * 3 * activation * (2 * 2 + 2 * 2 + 2 * 3 + 2 * MLP_RATIO),
        ),
        product("head", n_runs, n, d, words, 1),
        Part("loss", 0.0, n_runs * n * words * HALF * 3),
        Part(
            "weights' casts, gradients, update",
            0.0,
            weights * (CAST_BYTES + GRADIENT_BYTES + UPDATE_BYTES),
        ),
    ]


def floor_seconds(parts: list[Part], peak: float, bandwidth: float) -> float:
    return sum(part.seconds(peak, bandwidth) for part in parts)


def highest_mfu(
    shape: Shape, batch_tokens: int, n_runs: int, peak: float, bandwidth: float
) -> float:
    """Model operations (`Shape.flops_per_token`) over what the floor would allow at peak."""
    model = n_runs * batch_tokens * shape.flops_per_token
    return (
        model
        / peak
        / floor_seconds(step_parts(shape, batch_tokens, n_runs), peak, bandwidth)
    )
