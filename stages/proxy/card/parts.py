"""Parts of a step that torch's compiler writes badly for a card, as operators it can build into its program.

Milliseconds of a step of 64 stacked proxies of 10M parameters on one H200, as the compiler writes them and as their
bytes allow: norm and rotation of queries and keys with their gradients 13.4 and 2; loss and its gradient 4.2 and 1.4;
gradients copied into the flat buffer 6.6 and 1.1. The gradient of the embedding is here since the compiler sums it in
an order that changes from run to run. The kernels are Triton's (`kernels.py`), loaded when they first run.

`CARD` takes the place of `model.PLAIN`.
"""

import importlib.util
from collections.abc import Callable
from typing import NamedTuple

import torch

# cosines and sines of the rotary positions, (T, K / 2) each
Turn = tuple[torch.Tensor, torch.Tensor]


class Parts(NamedTuple):
    """What a card has kernels of its own for: `CARD`; `model.PLAIN` is the reference.

    heads: (N, T, 3, H, K), turn, what a norm adds to the mean square or None for no norm -> queries and keys as they
    are multiplied, and values, (N, H, T, K) each. losses: logits (M, V), targets (M,), whether sums are wanted ->
    losses (M,), log of the softmax's sum (M,), both float32 or better. embedded: embedding (R, V, D), inputs
    (R, B, T) -> its rows (R, B, T, D).
    """

    heads: Callable[
        [torch.Tensor, Turn, float | None],
        tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    ]
    losses: Callable[
        [torch.Tensor, torch.Tensor, bool], tuple[torch.Tensor, torch.Tensor | None]
    ]
    embedded: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@torch.library.custom_op("assay::turned_heads", mutates_args=())
def turned_heads(
    split: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor, eps: float | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Queries and keys as they are multiplied, and values, (N, T, H, K) each, of (N, T, 3, H, K); 1 / root mean square
    of queries and keys, (2, N, T, H).
    """
    from stages.proxy.card import kernels

    *made, scales = _empty_heads(split)
    kernels.turn_heads(split.contiguous(), (cosine, sine), eps, tuple(made), scales)
    return *made, scales


@turned_heads.register_fake
def _empty_heads(split, cosine=None, sine=None, eps=None):
    n_sequences, context, _, n_heads, width = split.shape
    made = (split.new_empty(n_sequences, context, n_heads, width) for _ in range(3))
    size = 2, n_sequences, context, n_heads
    return *made, split.new_empty(size, dtype=torch.float32)


@torch.library.custom_op("assay::turned_heads_back", mutates_args=())
def turned_heads_back(
    of_query: torch.Tensor,
    of_key: torch.Tensor,
    of_value: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    scales: torch.Tensor,
    cosine: torch.Tensor,
    sine: torch.Tensor,
    normed: bool,
) -> torch.Tensor:
    """Gradient of (N, T, 3, H, K) from those of queries, keys and values."""
    from stages.proxy.card import kernels

    of_split = _empty_split(query)
    gradients = of_query, of_key, of_value
    turn = cosine, sine
    kernels.turn_back(gradients, (query, key), scales, turn, normed, of_split)
    return of_split


def _empty_split(query: torch.Tensor) -> torch.Tensor:
    n_sequences, context, n_heads, width = query.shape
    return query.new_empty(n_sequences, context, 3, n_heads, width)


@turned_heads_back.register_fake
def _(of_query, of_key, of_value, query, *more):
    return _empty_split(query)


def _keep_heads(ctx, inputs, output):
    _, cosine, sine, eps = inputs
    ctx.normed = eps is not None
    query, key, _, scales = output
    ctx.save_for_backward(query, key, scales, cosine, sine)


def _heads_gradient(ctx, of_query, of_key, of_value, _):
    made = turned_heads_back(of_query, of_key, of_value, *ctx.saved_tensors, ctx.normed)
    return made, None, None, None


turned_heads.register_autograd(_heads_gradient, setup_context=_keep_heads)


@torch.library.custom_op("assay::losses_and_sums", mutates_args=())
def losses_and_sums(
    logits: torch.Tensor, targets: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy (M,) in nats of logits (M, V) and targets (M,), 0 where a target is below 0; log of the softmax's
    sum (M,).
    """
    from stages.proxy.card import kernels

    made = _empty_losses(logits)
    kernels.losses(logits.contiguous(), targets.contiguous(), made)
    return made


@losses_and_sums.register_fake
def _empty_losses(logits, targets=None):
    return tuple(
        logits.new_empty(logits.shape[0], dtype=torch.float32) for _ in range(2)
    )


@torch.library.custom_op("assay::losses_and_sums_back", mutates_args=())
def losses_and_sums_back(
    of_loss: torch.Tensor,
    of_sum: torch.Tensor,
    logits: torch.Tensor,
    targets: torch.Tensor,
    sums: torch.Tensor,
) -> torch.Tensor:
    """Gradient of the logits (M, V) from those of losses and sums (M,)."""
    from stages.proxy.card import kernels

    of_logits = logits.new_empty(logits.shape)
    kernels.losses_back(
        of_loss.contiguous(),
        of_sum.contiguous(),
        logits=logits.contiguous(),
        targets=targets.contiguous(),
        sums=sums,
        of_logits=of_logits,
    )
    return of_logits


@losses_and_sums_back.register_fake
def _(of_loss, of_sum, logits, targets, sums):
    return logits.new_empty(logits.shape)


def _keep_losses(ctx, inputs, output):
    ctx.save_for_backward(*inputs, output[1])


def _losses_gradient(ctx, of_loss, of_sum):
    return losses_and_sums_back(of_loss, of_sum, *ctx.saved_tensors), None


losses_and_sums.register_autograd(_losses_gradient, setup_context=_keep_losses)


@torch.library.custom_op("assay::embedded_back", mutates_args=())
def embedded_back(
    gradient: torch.Tensor, inputs: torch.Tensor, n_words: int
) -> torch.Tensor:
    """Gradient of the embedding (R, V, D) from that of its rows (R, B, T, D) at inputs (R, B, T), summed in the order
    of the tokens: torch's compiler adds in whatever order its threads come.
    """
    from stages.proxy.card import kernels

    n_runs, width = inputs.shape[0], gradient.shape[-1]
    run = torch.arange(n_runs, device=inputs.device)[:, None, None]
    keys, order = (inputs + run * n_words).flatten().int().sort(stable=True)
    made = gradient.new_zeros(n_runs, n_words, width, dtype=torch.float32)
    rows = gradient.contiguous().view(-1, width)
    kernels.sum_by_key(rows, keys, order, made.view(-1, width))
    return made


@embedded_back.register_fake
def _(gradient, inputs, n_words):
    size = inputs.shape[0], n_words, gradient.shape[-1]
    return gradient.new_empty(size, dtype=torch.float32)


class Embedded(torch.autograd.Function):
    """Rows (R, B, T, D) of the embedding (R, V, D) at inputs (R, B, T)."""

    @staticmethod
    def forward(ctx, weight: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(inputs)
        ctx.n_words = weight.shape[1]
        run = torch.arange(inputs.shape[0], device=inputs.device)[:, None, None]
        return weight[run, inputs]

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return embedded_back(gradient, ctx.saved_tensors[0], ctx.n_words), None


def _heads(
    split: torch.Tensor, turn: Turn, eps: float | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    query, key, value, _ = turned_heads(split, *turn, eps)
    return query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)


def _losses(
    logits: torch.Tensor, targets: torch.Tensor, _: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    return losses_and_sums(logits, targets)


def _embedded(weight: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    return Embedded.apply(weight, inputs)


CARD = Parts(_heads, _losses, _embedded)


def parts_here(device: torch.device) -> Parts | None:
    """`CARD` on a GPU where Triton is installed, as torch for CUDA brings it."""
    on_card = device.type == "cuda" and importlib.util.find_spec("triton")
    return CARD if on_card else None


def copy_rows(taken: torch.Tensor, given: torch.Tensor, add: bool = False) -> None:
    """Write or add (R, n) to (R, n) of any precision on a card; of both, each row is dense."""
    from stages.proxy.card import kernels

    kernels.copy_rows(taken, given, add)
