"""How many runs to stack: a second of training steps on random tokens for each candidate, and the reason for the choice.

Stacking saves the fixed cost of a step, not arithmetic, so it pays for small models, small batches and on GPUs.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from stages.proxy.adamw import AdamW
from stages.proxy.device import choose_device, one_thread
from stages.proxy.engine import build_engine
from stages.proxy.model import Weights
from stages.proxy.shape import Shape

CPU_SIZES, CUDA_SIZES = (1, 2, 4, 8), (1, 4, 16, 64)  # assumed
GAIN = 1.10  # assumed: a larger stack must be a tenth faster, since it makes coarser jobs
WARM_STEPS, ROUNDS = 3, 4  # the best of a few rounds, since a busy machine only ever adds time


@dataclass(frozen=True)
class StackChoice:
    """Runs to stack, tokens/s of all runs together by stack size, and one line saying why."""

    stack_size: int
    tokens_per_second: dict[int, float]
    reason: str


def best_stack(shape: Shape, batch_tokens: int, *, sizes: Sequence[int] | None = None, seconds: float = 1.5,
               device: str = "auto", dtype: str = "auto") -> StackChoice:
    """Measure stack sizes, smallest first, and stop when a larger one no longer pays.

    Example: `choice = best_stack(Shape.named("6k"), 512); print(choice.reason)`.
    """
    place, precision, _ = choose_device(device, dtype)
    sizes = tuple(sizes or (CUDA_SIZES if place.type == "cuda" else CPU_SIZES))
    rates, best = {}, sizes[0]
    for size in sizes:
        try:
            with one_thread():
                rates[size] = tokens_per_second(shape, batch_tokens, size, seconds / len(sizes), place, precision)
        except torch.OutOfMemoryError:
            break
        if rates[size] >= GAIN * rates[best]:
            best = size
        elif size != best:
            break
    return StackChoice(best, rates, _reason(shape, batch_tokens, best, rates))


def tokens_per_second(shape: Shape, batch_tokens: int, n_runs: int, seconds: float, device: torch.device, dtype: torch.dtype) -> float:
    """Training speed of `n_runs` stacked runs together, on random tokens, from the best of a few rounds."""
    weights = Weights(shape, range(n_runs), device)
    engine, optimiser = build_engine(weights, dtype), AdamW(weights, [0.01] * n_runs, [0.1] * n_runs)
    tokens = torch.randint(0, shape.vocab_size, (2, n_runs, batch_tokens // shape.context, shape.context), device=device)
    step_s = _timed(engine, optimiser, tokens, WARM_STEPS) / WARM_STEPS
    n_steps = max(1, int(seconds / ROUNDS / max(step_s, 1e-6)))
    fastest = min(_timed(engine, optimiser, tokens, n_steps) for _ in range(ROUNDS))
    return n_runs * batch_tokens * n_steps / fastest


def _timed(engine, optimiser: AdamW, tokens: torch.Tensor, n_steps: int) -> float:
    started = time.perf_counter()
    for _ in range(n_steps):
        engine.step_loss(tokens[0], tokens[1])
        optimiser.step(1.0)
    if tokens.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - started


def _reason(shape: Shape, batch_tokens: int, best: int, rates: dict[int, float]) -> str:
    measured = ", ".join(f"{size}: {rate / 1000:.0f}k" for size, rate in rates.items())
    why = "stacking does not pay" if best == min(rates) else f"{rates[best] / rates[min(rates)]:.2f} times one run"
    return f"stack {best} ({why}) for d_model {shape.d_model} x {shape.n_layers}, batch {batch_tokens}; tokens/s by stack {measured}"
