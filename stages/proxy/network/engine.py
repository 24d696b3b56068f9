"""Loss, gradients and held-out losses of R runs on a device: the one place that chooses between implementations."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from stages.proxy.card.parts import copy_rows, parts_here
from stages.proxy.network import model
from stages.proxy.network.accumulate import parts_that_fit
from stages.proxy.network.answers import n_scored
from stages.proxy.network.compiled import dense, program, runs_open
from stages.proxy.network.kernel import KernelEngine
from stages.proxy.network.model import Weights
from stages.proxy.specs.shape import Shape


class AutogradEngine:
    """The reference: plain autograd on any device, compiled and in bfloat16 products on CUDA.

    `z_loss` times the squared log of the softmax's sum is minimised beside the loss. `eos_id`: a
    token sees its own document alone. `answer_only`: targets that are IGNORED (`answers.py`) do not
    count, and the mean is over the others. `micro_sequences`: sequences of a run that are trained at
    once, their gradients summed; `recompute`: activations are made again in the backward pass.
    These two save memory and change rounding alone.
    """

    def __init__(
        self,
        weights: Weights,
        dtype: torch.dtype = torch.float32,
        compiled: bool = False,
        z_loss: float = 0.0,
        *,
        eos_id: int | None = None,
        micro_sequences: int | None = None,
        recompute: bool = False,
        answer_only: bool = False,
    ):
        self.answer_only = answer_only
        self.weights, self.shape, self.dtype = weights, weights.shape, dtype
        self.z_loss, self.eos_id, self.micro_sequences, self.recompute = (
            z_loss,
            eos_id,
            micro_sequences,
            recompute,
        )
        self.device = weights.flat.device
        self._turns: dict[int, model.Turn] = {}
        # experts differ in rows each step
        self.compiled = compiled and not weights.shape.n_experts
        self._losses: Callable = model.losses_and_more
        self.parts = parts_here(self.device) if self.compiled else None
        self.leaves = weights.named
        self._half: torch.Tensor | None = None
        if self.parts and dtype != weights.flat.dtype:
            self._half, self.leaves = _half_copy(weights, dtype)
        if self.compiled:
            self._losses = program(model.losses_and_more)
            runs_open(self.leaves.values())

    def step_loss(
        self,
        inputs: torch.Tensor,
        targets: torch.Tensor,
        keep: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Mean loss of each run (R,) on inputs and targets (R, B, T); writes the gradients to `weights.grad`."""
        return self.summed_loss(inputs, targets, keep, targets)

    def summed_loss(
        self,
        inputs: torch.Tensor,
        targets: torch.Tensor,
        keep: torch.Tensor | None,
        batch: torch.Tensor,
    ) -> torch.Tensor:
        """As `step_loss`, but these sequences are a part of those whose targets `batch` (R, B, T) holds: the sum over
        them divided by the size of the whole.
        """
        n_sequences = batch.shape[1]
        n_whole = n_scored(batch) if self.answer_only else None
        self._refresh()
        size = self._at_once(inputs)
        total = torch.zeros(
            len(inputs),
            device=self.device,
            dtype=torch.promote_types(self.weights.flat.dtype, torch.float32),
        )
        for first in range(0, inputs.shape[1], size):
            part = slice(first, first + size)
            with self._precision():
                losses, more = self._losses(
                    self.leaves,
                    self.shape,
                    *self._given(
                        inputs[:, part],
                        targets[:, part],
                        None if keep is None else keep[:, :, part],
                    ),
                    self._turn(inputs),
                    self.z_loss,
                    self.eos_id,
                    self.recompute,
                    parts=self.parts,
                )
            share = losses.shape[1] / n_sequences
            if n_whole is None:
                mean = losses.mean((1, 2)) * share
            else:
                mean = losses.sum((1, 2)) / n_whole
            gradients = torch.autograd.grad(
                (mean + more * share).sum(), list(self.leaves.values())
            )
            self._keep(gradients, add=bool(first))
            total += mean.detach()
        return total

    @torch.no_grad()
    def _refresh(self) -> None:
        """Round the weights to what this step's products read."""
        if self._half is not None:
            begin = self.weights.inner.start
            copy_rows(self.weights.flat[:, begin:], self._half)

    def _keep(self, gradients: Sequence[torch.Tensor], add: bool) -> None:
        into = list(self.weights.named_grad.values())
        if self.parts:
            for place, gradient in zip(into, gradients, strict=True):
                copy_rows(gradient.flatten(1), place.flatten(1), add=add)
        elif add:
            torch._foreach_add_(into, gradients)
        else:
            torch._foreach_copy_(into, gradients)

    def _given(
        self, inputs: torch.Tensor, targets: torch.Tensor, keep: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """A part of a batch as the program wants it: dense, with the axis of runs open."""
        if not self.compiled:
            return inputs, targets, keep
        inputs, targets = dense(inputs), dense(targets)
        keep = None if keep is None else keep.contiguous()
        runs_open((inputs, targets))
        runs_open((keep,), axis=1)
        return inputs, targets, keep

    def _at_once(self, inputs: torch.Tensor) -> int:
        """Sequences of a run trained at once: as asked, else all on CPU, what fits at the first step on CUDA."""
        if self.micro_sequences is None and self.device.type == "cuda":
            free = (
                torch.cuda.mem_get_info()[0]
                + torch.cuda.memory_reserved()
                - torch.cuda.memory_allocated()
            )
            self.micro_sequences, again = parts_that_fit(
                self.shape,
                len(inputs),
                n_sequences=inputs.shape[1],
                free_bytes=free,
                float32=self.dtype == torch.float32,
                compiled=self.compiled,
            )
            self.recompute = self.recompute or again
        return self.micro_sequences or inputs.shape[1]

    @torch.no_grad()
    def token_losses(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Losses (R, B, T) of every run on the same inputs and targets (B, T)."""
        n_runs = len(self.weights.flat)
        with self._precision():
            inputs, targets = (
                inputs.expand(n_runs, -1, -1),
                targets.expand(n_runs, -1, -1),
            )
            return model.token_losses(
                self.weights.named,
                self.shape,
                inputs,
                targets,
                None,
                self._turn(inputs),
            )

    def _turn(self, inputs: torch.Tensor) -> model.Turn:
        """Rotary positions of so many tokens, made once: the compiler cannot make the complex numbers behind them."""
        n_positions = inputs.shape[-1]
        if n_positions not in self._turns:
            self._turns[n_positions] = model.rotary(
                self.shape, n_positions, self.weights.flat
            )
        return self._turns[n_positions]

    def _precision(self):
        return torch.autocast(
            self.device.type, self.dtype, enabled=self.dtype != torch.float32
        )


def _half_copy(
    weights: Weights, dtype: torch.dtype
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """A buffer for all weights but the embedding in `dtype`, and the leaves that a step differentiates."""
    begin = weights.inner.start
    half = torch.empty_like(weights.flat[:, begin:], dtype=dtype)
    leaves = {"embedding": weights.named["embedding"]}
    start = 0
    for name, (rows, columns) in weights.sizes.items():
        if name == "embedding":
            continue
        view = half[:, start : start + rows * columns]
        leaves[name] = view.view(len(half), rows, columns).requires_grad_()
        start += rows * columns
    return half, leaves


class DropoutMasks:
    """Dropout factors of every step from (seed of the run, step) alone, so that resumed runs and
    branches replay them.
    """

    def __init__(
        self, shape: Shape, seeds: list[int], rates: list[float], device: torch.device
    ):
        self.shape, self.seeds, self.rates = shape, seeds, rates
        self.device = device
        self.generator = torch.Generator(device)

    def at(self, step: int, n_sequences: int) -> torch.Tensor | None:
        """Factors (sites, R, B, T, D), 0 or 1 / (1 - rate); None where no run drops anything."""
        if not any(self.rates):
            return None
        size = (
            model.n_dropout_sites(self.shape),
            n_sequences,
            self.shape.context,
            self.shape.d_model,
        )
        return torch.stack(
            [
                self._one(seed, rate, step, size)
                for seed, rate in zip(self.seeds, self.rates, strict=True)
            ],
            1,
        )

    def _one(
        self, seed: int, rate: float, step: int, size: tuple[int, ...]
    ) -> torch.Tensor:
        if not rate:
            return torch.ones(size, device=self.device)
        self.generator.manual_seed((seed * 1_000_003 + step) % 2**63)
        return (
            (torch.rand(size, device=self.device, generator=self.generator) >= rate)
            .float()
            .div_(1 - rate)
        )


def build_engine(
    weights: Weights,
    dtype: torch.dtype = torch.float32,
    z_loss: float = 0.0,
    *,
    compiled: bool = True,
    eos_id: int | None = None,
    micro_sequences: int | None = None,
    recompute: bool = False,
    answer_only: bool = False,
):
    """The fastest engine that computes `model.token_losses` on the device of the weights; options
    as in `AutogradEngine`, of which `compiled` is for a GPU alone.
    """
    on_cpu = weights.flat.device.type == "cpu"
    options: dict[str, Any] = {
        "eos_id": eos_id,
        "micro_sequences": micro_sequences,
        "recompute": recompute,
    }
    if (
        on_cpu
        and not weights.shape.n_experts
        and not any(
            value is not None and value is not False for value in options.values()
        )
    ):
        return KernelEngine(weights, dtype, z_loss, answer_only=answer_only)
    return AutogradEngine(
        weights,
        dtype,
        compiled=compiled and not on_cpu,
        z_loss=z_loss,
        answer_only=answer_only,
        **options,
    )
