"""R proxy transformers of one shape as one batched model; a plain model is R = 1.

RMSNorm without weights, rotary positions, QK-norm, causal attention, relu^2 MLP, no biases, untied head that starts
at zero. Every tensor has the run axis first; a product with weights is one `bmm` over runs. This file is the
reference: plain autograd, any device. `kernel.py` is the same function with hand-written gradients for CPU.

Axes: R runs, B sequences, T context, D d_model, H heads, K head width, V words, P weights of a run.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

from stages.proxy.card.parts import Parts, Turn
from stages.proxy.network import experts
from stages.proxy.specs.layout import weight_sizes
from stages.proxy.specs.shape import Shape
from stages.proxy.specs.transfer import Factors, kind_of_weight

NORM_EPS = 1e-6  # assumed
ROPE_BASE = 10_000.0  # cited: Su et al. 2021


class Weights:
    """All weights of R runs in one flat buffer, and their gradients in another: `flat`, `grad` (R, P).

    `named[name]` (R, rows, columns) are views into `flat` that autograd knows as leaves, `named_grad[name]` views into
    `grad`, so the optimiser works on two tensors whatever the depth.
    """

    def __init__(
        self,
        shape: Shape,
        seeds: Sequence[int],
        device="cpu",
        dtype=None,
        transfer: dict[str, Factors] | None = None,
    ):
        self.shape, self.sizes = shape, weight_sizes(shape)
        dtype = dtype or torch.float32
        self.flat = torch.stack(
            [
                torch.cat(list(initial_parts(self.sizes, seed, transfer)))
                for seed in seeds
            ]
        ).to(device=device, dtype=dtype)
        self.grad = torch.zeros_like(self.flat)
        self.named = dict(self._views(self.flat))
        self.named_grad = dict(self._views(self.grad))
        for weight in self.named.values():
            weight.requires_grad_()

    @property
    def inner(self) -> slice:
        """Columns of the flat buffer between embedding and head: the matrices of the transformer."""
        n_outer = self.shape.vocab_size * self.shape.d_model
        return slice(n_outer, self.flat.shape[1] - n_outer)

    def _views(self, flat: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
        start = 0
        for name, (rows, columns) in self.sizes.items():
            yield (
                name,
                flat[:, start : start + rows * columns].view(len(flat), rows, columns),
            )
            start += rows * columns


def initial_parts(
    sizes: dict[str, tuple[int, int]], seed: int, transfer: dict[str, Factors] | None
) -> Iterator[torch.Tensor]:
    """Weights of one run in storage order, (rows * columns,) each: embedding of unit variance, maps
    of variance 1 / fan-in, head of zeros.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, (rows, columns) in sizes.items():
        scale = {"embedding": 1.0, "head": 0.0}.get(name, columns**-0.5)
        scale *= transfer[kind_of_weight(name)].start if transfer else 1.0
        yield torch.randn(rows * columns, generator=generator) * scale


def rotary_complex(shape: Shape, n_positions: int) -> torch.Tensor:
    """Rotation of each neighbouring pair of a head at each position, as unit complex numbers (T, K / 2)."""
    half = shape.head_width // 2
    speed = ROPE_BASE ** (-torch.arange(half, dtype=torch.float64) / half)
    angle = torch.outer(torch.arange(n_positions, dtype=torch.float64), speed)
    return torch.polar(torch.ones_like(angle), angle)


def rotary(shape: Shape, n_positions: int, like: torch.Tensor) -> Turn:
    """The same as cosines and sines, (T, K / 2) each, of the device and precision of `like`."""
    turn = rotary_complex(shape, n_positions)
    return turn.real.to(like), turn.imag.to(like)


def hidden(
    weights: dict[str, torch.Tensor],
    shape: Shape,
    inputs: torch.Tensor,
    keep: torch.Tensor | None = None,
    turn: Turn | None = None,
) -> torch.Tensor:
    """Normed last hidden state (R, B, T, D) of inputs (R, B, T).

    `keep` (sites, R, B, T, D) are dropout factors; `turn` is `rotary` of T positions, made here if not given.
    """
    return hidden_and_balance(weights, shape, inputs=inputs, keep=keep, turn=turn)[0]


def hidden_and_balance(
    weights: dict[str, torch.Tensor],
    shape: Shape,
    inputs: torch.Tensor,
    keep: torch.Tensor | None = None,
    turn: Turn | None = None,
    eos_id: int | None = None,
    recompute: bool = False,
    run_layer: Callable | None = None,
    embedded: Callable | None = None,
) -> tuple[torch.Tensor, torch.Tensor | float]:
    """`hidden`, and what unevenly used experts add to the training loss (R,): 0.0 where there are
    none.

    Given `eos_id`, a token sees its own document alone. `recompute` keeps one state a layer and
    makes the rest again in the backward pass: less memory for a third more arithmetic (Chen et al.
    2016). `run_layer` takes the place of `one_layer`, `embedded` that of reading the embedding's rows.
    """
    turn = turn or rotary(shape, inputs.shape[-1], weights["embedding"])
    mask = None if eos_id is None else same_document(inputs, eos_id)
    x = (embedded or _embedded)(weights["embedding"], inputs)
    x, balance = _dropped(x, keep, 0), 0.0
    for layer in range(shape.n_layers):
        if recompute:
            x, more = checkpoint(
                run_layer or one_layer,
                x,
                weights,
                layer,
                shape,
                turn,
                keep,
                mask,
                use_reentrant=False,
                preserve_rng_state=False,
            )
        else:
            x, more = (run_layer or one_layer)(
                x, weights, layer, shape, turn, keep, mask
            )
        balance = balance + more
    return _normed(x), balance


def _embedded(weight: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    rows = torch.arange(inputs.shape[0], device=inputs.device)[:, None, None]
    return weight[rows, inputs]


def one_layer(
    x: torch.Tensor,
    weights: dict[str, torch.Tensor],
    layer: int,
    shape: Shape,
    turn: Turn,
    keep: torch.Tensor | None,
    mask: torch.Tensor | None,
    heads: Callable | None = None,
) -> tuple[torch.Tensor, torch.Tensor | float]:
    """The residual stream (R, B, T, D) after a layer, and the balance of its experts."""
    x = x + _dropped(
        _attention(
            _normed(x),
            weights,
            layer=layer,
            shape=shape,
            turn=turn,
            mask=mask,
            heads=heads or _turned,
        ),
        keep,
        2 * layer + 1,
    )
    if f"{layer}.router" in weights:
        change, balance = experts.mix(_normed(x), weights, layer, shape)
    else:
        wide = F.relu(linear(_normed(x), weights[f"{layer}.up"])).square()
        change, balance = linear(wide, weights[f"{layer}.down"]), 0.0
    return x + _dropped(change, keep, 2 * layer + 2), balance


def token_losses(
    weights: dict[str, torch.Tensor],
    shape: Shape,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    keep: torch.Tensor | None = None,
    turn: Turn | None = None,
) -> torch.Tensor:
    """Loss in nats of every target (R, B, T), cross-entropy in fp32 or better."""
    state = hidden(weights, shape, inputs=inputs, keep=keep, turn=turn)
    logits = linear(state, weights["head"]).flatten(0, -2)
    return _losses(logits, targets.reshape(-1), False)[0].view(inputs.shape)


def losses_and_more(
    weights: dict[str, torch.Tensor],
    shape: Shape,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    keep: torch.Tensor | None = None,
    turn: Turn | None = None,
    z_loss: float = 0.0,
    eos_id: int | None = None,
    recompute: bool = False,
    run_layer: Callable | None = None,
    parts: Parts | None = None,
) -> tuple[torch.Tensor, torch.Tensor | float]:
    """Losses (R, B, T) as above, and what is added to the mean loss of each run in training (R,), 0.0 for nothing.

    That is z_loss times the mean of (log of the softmax's sum)^2, and the balance of experts. `parts` take the place of
    `PLAIN`, in layers where `run_layer` is not given.
    """
    parts = parts or PLAIN
    state, more = hidden_and_balance(
        weights,
        shape,
        inputs=inputs,
        keep=keep,
        turn=turn,
        eos_id=eos_id,
        recompute=recompute,
        run_layer=run_layer or partial(one_layer, heads=parts.heads),
        embedded=parts.embedded,
    )
    logits = linear(state, weights["head"]).flatten(0, -2)
    losses, sums = parts.losses(logits, targets.reshape(-1), bool(z_loss))
    if z_loss and sums is not None:
        more = more + z_loss * sums.square().view(inputs.shape).mean((1, 2))
    return losses.view(inputs.shape), more


def _losses(
    logits: torch.Tensor, targets: torch.Tensor, with_sums: bool
) -> tuple[torch.Tensor, torch.Tensor | None]:
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    losses = F.cross_entropy(logits, targets, reduction="none")
    return losses, logits.logsumexp(-1) if with_sums else None


def same_document(inputs: torch.Tensor, eos_id: int) -> torch.Tensor:
    """Whether a position may look at another: not later, and with no end mark after that one (R B, 1, T, T).

    The end mark opens the document that follows it, as in held-out windows.
    """
    document = (inputs == eos_id).cumsum(-1).flatten(0, 1)
    return ((document[:, :, None] == document[:, None, :]).tril_())[:, None]


def n_dropout_sites(shape: Shape) -> int:
    """The embedding and both branches of every layer."""
    return 1 + 2 * shape.n_layers


class Products(torch.autograd.Function):
    """x (R, M, columns) times weight (R, rows, columns) transposed, or both without R. As torch writes it, the weight's
    gradient comes transposed and is copied.
    """

    @staticmethod
    def forward(ctx, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        return x @ weight.mT

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, weight = ctx.saved_tensors
        return gradient @ weight, gradient.mT @ x


def linear(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """x (R, ..., columns) times weight (R, rows, columns) transposed: (R, ..., rows)."""
    device = x.device.type
    if torch.is_autocast_enabled(device):  # which does not reach into a backward pass
        dtype = torch.get_autocast_dtype(device)
        x, weight = x.to(dtype), weight.to(dtype)
    n_rows = weight.shape[1]
    if len(weight) == 1:
        made = Products.apply(x.flatten(0, -2), weight.squeeze(0))
    else:
        made = Products.apply(x.flatten(1, -2), weight)
    return made.view(*x.shape[:-1], n_rows)


def _attention(
    x: torch.Tensor,
    weights: dict[str, torch.Tensor],
    layer: int,
    shape: Shape,
    turn: Turn,
    mask: torch.Tensor | None,
    heads: Callable,
) -> torch.Tensor:
    split = _split_heads(x, weights, layer, shape)
    query, key, value = heads(split, turn, NORM_EPS if shape.qk_norm else None)
    mixed = F.scaled_dot_product_attention(
        query.to(value.dtype),
        key.to(value.dtype),
        value,
        attn_mask=mask,
        is_causal=mask is None,
    )
    return linear(mixed.transpose(1, 2).reshape(x.shape), weights[f"{layer}.out"])


def _split_heads(
    x: torch.Tensor, weights: dict[str, torch.Tensor], layer: int, shape: Shape
) -> torch.Tensor:
    """Queries, keys and values (R B, T, 3, H, K) of a normed state (R, B, T, D)."""
    n_runs, n_sequences, context, _ = x.shape
    return linear(x, weights[f"{layer}.qkv"]).view(
        n_runs * n_sequences, context, 3, shape.n_heads, shape.head_width
    )


def _turned(
    split: torch.Tensor, turn: Turn, eps: float | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    query, key, value = split.permute(2, 0, 3, 1, 4)
    if eps is not None:
        query, key = _normed(query), _normed(key)
    return _rotated(query, turn), _rotated(key, turn), value


def attention_logits(
    x: torch.Tensor,
    weights: dict[str, torch.Tensor],
    layer: int,
    shape: Shape,
    turn: Turn,
) -> torch.Tensor:
    """What the softmax of a layer's attention sees, (R B, H, T, T), of the residual stream (R, B, T, D); no mask."""
    split = _split_heads(_normed(x), weights, layer, shape)
    query, key, _ = _turned(split, turn, NORM_EPS if shape.qk_norm else None)
    return query @ key.transpose(-1, -2) * shape.head_width**-0.5


def _rotated(x: torch.Tensor, turn: Turn) -> torch.Tensor:
    """Each neighbouring pair turned, all first halves before all second ones: one order for query and
    key leaves their products as they are, and two blocks are written faster than pairs.
    """
    cosine, sine = turn
    real, imaginary = x.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.cat(
        [real * cosine - imaginary * sine, real * sine + imaginary * cosine], -1
    )


PLAIN = Parts(_turned, _losses, _embedded)


def _normed(x: torch.Tensor) -> torch.Tensor:
    return F.rms_norm(x, (x.shape[-1],), eps=NORM_EPS)


def _dropped(x: torch.Tensor, keep: torch.Tensor | None, site: int) -> torch.Tensor:
    return x if keep is None else x * keep[site]
