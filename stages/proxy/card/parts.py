"""Three parts of a step that torch's compiler writes badly for a card, as operators it can build into its program.

Milliseconds of a step of 64 stacked proxies of 10M parameters on one H200, as the compiler writes them and as their
bytes allow: norm and rotation of queries and keys with their gradients 13.4 and 2; loss and its gradient 4.2 and 1.4;
gradients copied into the flat buffer 6.6 and 1.1. The kernels are Triton's (`kernels.py`), loaded when they first run.

`CARD` takes the place of `model.PLAIN`.
"""

import importlib.util

import torch

from stages.proxy.network.model import NORM_EPS, Parts, Turn


@torch.library.custom_op("assay::turned_heads", mutates_args=())
def turned_heads(
    split: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor, normed: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Queries and keys as they are multiplied, and values, (N, T, H, K) each, of (N, T, 3, H, K); 1 / root mean square
    of queries and keys, (2, N, T, H).
    """
    from stages.proxy.card import kernels

    *made, scales = _empty_heads(split)
    eps = NORM_EPS if normed else None
    kernels.turn_heads(split.contiguous(), (cosine, sine), eps, tuple(made), scales)
    return *made, scales


@turned_heads.register_fake
def _empty_heads(split, cosine=None, sine=None, normed=True):
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
    _, cosine, sine, ctx.normed = inputs
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

    given = (part.contiguous() for part in (of_loss, of_sum, logits, targets))
    of_logits = logits.new_empty(logits.shape)
    kernels.losses_back(*given, sums, of_logits)
    return of_logits


@losses_and_sums_back.register_fake
def _(of_loss, of_sum, logits, targets, sums):
    return logits.new_empty(logits.shape)


def _keep_losses(ctx, inputs, output):
    ctx.save_for_backward(*inputs, output[1])


def _losses_gradient(ctx, of_loss, of_sum):
    return losses_and_sums_back(of_loss, of_sum, *ctx.saved_tensors), None


losses_and_sums.register_autograd(_losses_gradient, setup_context=_keep_losses)


def _heads(
    split: torch.Tensor, turn: Turn, normed: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    query, key, value, _ = turned_heads(split, *turn, normed)
    return query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)


def _losses(
    logits: torch.Tensor, targets: torch.Tensor, _: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    return losses_and_sums(logits, targets)


CARD = Parts(_heads, _losses)


def parts_here(device: torch.device) -> Parts | None:
    """`CARD` on a GPU where Triton is installed, as torch for CUDA brings it."""
    on_card = device.type == "cuda" and importlib.util.find_spec("triton")
    return CARD if on_card else None


def copy_rows(taken: torch.Tensor, given: torch.Tensor, add: bool = False) -> None:
    """Write or add (R, n) to (R, n) of any precision on a card; of both, each row is dense."""
    from stages.proxy.card import kernels

    kernels.copy_rows(taken, given, add)
