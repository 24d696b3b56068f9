"""AdamW on one flat buffer of R runs, with learning rate, weight decay and clipping of each run its
own.

Update of a run (Loshchilov & Hutter 2019, torch's convention: decay is scaled by the learning
rate):
    g    <- g min(1, clip / |g|)
    m, v <- moving averages of g, g^2
    w    <- w (1 - lr decay) - lr m_hat / (sqrt(v_hat) + eps)
Decay acts on the matrices inside the transformer, not on embedding and head (measured at 25k
parameters, 524k tokens: decaying the head as well costs 0.03 nats at weight decay 0.1 and 0.28 at
1.0). A few passes over (R, P), whatever the depth.
"""

from typing import Protocol

import torch

from stages.proxy.network.compiled import program, runs_open
from stages.proxy.specs.transfer import Factors, kind_of_weight

BETA1, BETA2 = 0.9, 0.95  # measured: worked at every proxy size
EPS = 1e-8  # torch's default
CLIP_NORM = 1.0  # assumed


class FlatWeights(Protocol):
    """Weights (R, P) that are trained in place, and their gradients, for text or images."""

    sizes: dict[str, tuple[int, int]]
    flat: torch.Tensor
    grad: torch.Tensor

    @property
    def inner(self) -> slice: ...


class AdamW:
    """Optimiser state of R runs: first and second moments (R, P), and the number of steps taken.

    `compiled`: on CUDA the update is one compiled pass.
    """

    def __init__(
        self,
        weights: FlatWeights,
        lr: list[float],
        weight_decay: list[float],
        transfer: dict[str, Factors] | None = None,
        compiled: bool = True,
    ):
        self.weights, self.compiled = weights, compiled and weights.flat.is_cuda
        column = {"dtype": torch.float64, "device": weights.flat.device}
        self.lr, self.weight_decay = (
            torch.tensor(lr, **column)[:, None],
            torch.tensor(weight_decay, **column)[:, None],
        )
        self.first, self.second = (
            torch.zeros_like(weights.flat),
            torch.zeros_like(weights.flat),
        )
        # of the update on CPU
        self._work = torch.empty_like(
            weights.flat[:, :0] if weights.flat.is_cuda else weights.flat
        )
        self.n_steps = 0
        self._lr_factor: torch.Tensor | None
        self._decay_factor: torch.Tensor | float
        self._lr_factor, self._decay_factor = (
            _columns(weights, transfer) if transfer else (None, 1.0)
        )

    @torch.no_grad()
    def step(self, lr_factor: float) -> None:
        """One update from `weights.grad` at `lr_factor` times each run's learning rate; spoils it on CPU."""
        flat, grad, work = self.weights.flat, self.weights.grad, self._work
        self.n_steps += 1
        if flat.is_cuda:
            return self.update(lr_factor, self.n_steps)
        norm = torch.linalg.vector_norm(grad, dim=1, keepdim=True)
        grad.mul_((CLIP_NORM / (norm + 1e-6)).clamp_(max=1.0))
        self.first.lerp_(grad, 1 - BETA1)
        self.second.mul_(BETA2).addcmul_(grad, grad, value=1 - BETA2)
        torch.sqrt(self.second, out=work)
        work.mul_((1 - BETA2**self.n_steps) ** -0.5).add_(EPS)
        torch.div(self.first, work, out=work)
        lr = self.lr * lr_factor
        if self._lr_factor is not None:
            work.mul_(self._lr_factor)
        flat[:, self.weights.inner].mul_(
            self._like(1 - lr * self.weight_decay * self._decay_factor)
        )
        flat.sub_(work.mul_(self._like(lr / (1 - BETA1**self.n_steps))))

    @torch.no_grad()
    def update(
        self,
        lr_factor: float | torch.Tensor,
        n_steps: float | torch.Tensor,
        update=None,
    ) -> None:
        """The same update as one compiled pass, the `n_steps`-th of the run; both numbers may be
        float64 tensors of no axes.

        They travel on as tensors, so that no step compiles anew and a recorded step (`graphs.py`)
        reads those of its own time.
        """
        like = self.weights.flat
        lr = self.lr * lr_factor
        shrink, size = (
            self._like(1 - lr * self.weight_decay * self._decay_factor),
            self._like(lr / (1 - BETA1**n_steps)),
        )
        if self._lr_factor is not None:
            size = size * self._lr_factor
        root = self._like(torch.ones_like(self.lr[:1]) * (1 - BETA2**n_steps) ** -0.5)
        if update is None:
            update = program(one_update) if self.compiled else one_update
        buffers = like, self.weights.grad, self.first, self.second
        if update is not one_update:
            runs_open((*buffers, shrink, size))
        update(
            *buffers,
            shrink,
            size,
            root,
            self.weights.inner.start,
            self.weights.inner.stop,
        )

    def _like(self, column: torch.Tensor) -> torch.Tensor:
        return column.to(self.weights.flat)

    def state(self) -> dict:
        return {
            "flat": self.weights.flat.clone(),
            "first": self.first.clone(),
            "second": self.second.clone(),
            "n_steps": self.n_steps,
        }

    def whole(self, state: dict | None, keep: bool = True) -> dict | None:
        """A state as a file keeps it: the same, as nothing of it is elsewhere (`sharded.py`)."""
        return state

    @torch.no_grad()
    def load(self, state: dict) -> None:
        self.weights.flat.copy_(state["flat"])
        self.first.copy_(state["first"])
        self.second.copy_(state["second"])
        self.n_steps = state["n_steps"]


def _columns(
    weights: FlatWeights, transfer: dict[str, Factors]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of every weight of a run: the factor of its learning rate (P,), and that of lr times decay
    inside the transformer (inner,).
    """
    parts = [
        (transfer[kind_of_weight(name)], rows * columns)
        for name, (rows, columns) in weights.sizes.items()
    ]
    lr = torch.cat([torch.full((n,), part.lr) for part, n in parts]).to(weights.flat)
    decay = torch.cat(
        [
            torch.full((n,), part.lr * part.decay, dtype=torch.float64)
            for part, n in parts
        ]
    ).to(weights.flat.device)
    return lr, decay[weights.inner]


def one_update(
    flat: torch.Tensor,
    grad: torch.Tensor,
    first: torch.Tensor,
    second: torch.Tensor,
    shrink: torch.Tensor,
    size: torch.Tensor,
    root: torch.Tensor,
    begin: int,
    end: int,
) -> None:
    """The update in place; buffers of (R, P), root (1, 1), size (R, 1 or P), shrink (R, 1 or
    columns) for columns begin..end.
    """
    norm = torch.linalg.vector_norm(grad, dim=1, keepdim=True)
    grad = grad * (CLIP_NORM / (norm + 1e-6)).clamp(max=1.0)
    first.lerp_(grad, 1 - BETA1)
    second.mul_(BETA2).addcmul_(grad, grad, value=1 - BETA2)
    flat[:, begin:end].mul_(shrink)
    flat.sub_(size * first / (second.sqrt() * root + EPS))
