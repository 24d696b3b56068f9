"""Loss, gradients and held-out losses of R runs on a device: the one place that chooses between implementations."""

import functools

import torch

from stages.proxy import model
from stages.proxy.kernel import KernelEngine
from stages.proxy.model import Weights
from stages.proxy.shape import Shape


COMPILED_SHAPES = 64  # assumed: a ladder of sizes times a few stack sizes; torch gives up after 8 by default


@functools.cache
def _objective(z_loss: float, compiled: bool):
    """Losses and what is minimised; one function for all engines alike, since each new one would be compiled again."""
    if not compiled:
        return functools.partial(_with_z, z_loss=z_loss) if z_loss else _without_z
    torch._dynamo.config.recompile_limit = COMPILED_SHAPES
    return torch.compile(_objective(z_loss, False), dynamic=False)


class AutogradEngine:
    """The reference: plain autograd on any device, compiled and in bfloat16 products on CUDA."""

    def __init__(self, weights: Weights, dtype: torch.dtype = torch.float32, compiled: bool = False, z_loss: float = 0.0):
        self.weights, self.shape, self.dtype = weights, weights.shape, dtype
        self.device = weights.flat.device
        self._turns: dict[int, model.Turn] = {}
        self._objective = _objective(z_loss, compiled)

    def step_loss(self, inputs: torch.Tensor, targets: torch.Tensor, keep: torch.Tensor | None = None) -> torch.Tensor:
        """Mean loss of each run (R,) on inputs and targets (R, B, T); writes the gradients to `weights.grad`."""
        with self._precision():
            losses, objective = self._objective(self.weights.named, self.shape, inputs, targets, keep, self._turn(inputs))
        gradients = torch.autograd.grad(objective.mean((1, 2)).sum(), list(self.weights.named.values()))
        torch._foreach_copy_(list(self.weights.named_grad.values()), gradients)
        return losses.detach().mean((1, 2))

    @torch.no_grad()
    def token_losses(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Losses (R, B, T) of every run on the same inputs and targets (B, T)."""
        n_runs = len(self.weights.flat)
        with self._precision():
            inputs, targets = inputs.expand(n_runs, -1, -1), targets.expand(n_runs, -1, -1)
            return model.token_losses(self.weights.named, self.shape, inputs, targets, None, self._turn(inputs))

    def _turn(self, inputs: torch.Tensor) -> model.Turn:
        """Rotary positions of so many tokens, made once: the compiler cannot make the complex numbers behind them."""
        n_positions = inputs.shape[-1]
        if n_positions not in self._turns:
            self._turns[n_positions] = model.rotary(self.shape, n_positions, self.weights.flat)
        return self._turns[n_positions]

    def _precision(self):
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)


def _without_z(*arguments) -> tuple[torch.Tensor, torch.Tensor]:
    losses = model.token_losses(*arguments)
    return losses, losses


def _with_z(*arguments, z_loss: float) -> tuple[torch.Tensor, torch.Tensor]:
    return model.token_objectives(*arguments, z_loss)


class DropoutMasks:
    """Dropout factors of every step from (seed of the run, step) alone, so that resumed runs and branches replay them."""

    def __init__(self, shape: Shape, seeds: list[int], rates: list[float], device: torch.device):
        self.shape, self.seeds, self.rates = shape, seeds, rates
        self.device = device
        self.generator = torch.Generator(device)

    def at(self, step: int, n_sequences: int) -> torch.Tensor | None:
        """Factors (sites, R, B, T, D), 0 or 1 / (1 - rate); None where no run drops anything."""
        if not any(self.rates):
            return None
        size = (model.n_dropout_sites(self.shape), n_sequences, self.shape.context, self.shape.d_model)
        return torch.stack([self._one(seed, rate, step, size) for seed, rate in zip(self.seeds, self.rates, strict=True)], 1)

    def _one(self, seed: int, rate: float, step: int, size: tuple[int, ...]) -> torch.Tensor:
        if not rate:
            return torch.ones(size, device=self.device)
        self.generator.manual_seed((seed * 1_000_003 + step) % 2**63)
        return (torch.rand(size, device=self.device, generator=self.generator) >= rate).float().div_(1 - rate)


def build_engine(weights: Weights, dtype: torch.dtype = torch.float32, z_loss: float = 0.0):
    """The fastest engine that computes `model.token_losses` on the device of the weights."""
    if weights.flat.device.type == "cpu":
        return KernelEngine(weights, dtype, z_loss)
    return AutogradEngine(weights, dtype, compiled=True, z_loss=z_loss)
