"""How fast runs of one shape train when they are stacked: some steps on random tokens, a second for
all candidates together.

Stacking saves the fixed cost of a step, not arithmetic, so it pays for small models, small batches
and on GPUs, whose rates are not measured but expected (`expected.py`). The candidates take turns
and the best turn of each counts, since a busy machine only ever adds time.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import torch

from stages.proxy.network.adamw import AdamW
from stages.proxy.network.device import compute_threads
from stages.proxy.network.engine import build_engine
from stages.proxy.network.graphs import PlainStep
from stages.proxy.network.model import Weights
from stages.proxy.specs.outcome import is_out_of_memory
from stages.proxy.specs.shape import Shape

if TYPE_CHECKING:
    from stages.proxy.workforce.workers import Workers

CPU_SIZES = (1, 2, 4, 8)  # assumed
CUDA_SIZES = tuple(2**power for power in range(11))  # of what is not measured, all
HALF_FROM_PARAMS = 1_000_000  # measured: bfloat16 products gain nothing below on CPU
WARM_STEPS, ROUNDS = 2, 3  # assumed: enough to see the order of the candidates


@dataclass(frozen=True, order=True)
class Candidate:
    """One way to train runs of a shape in a process: runs stacked, compute threads, precision of the products."""

    stack_size: int
    threads: int = 1
    dtype: str = "float32"

    def __str__(self) -> str:
        threads = f" x {self.threads} threads" if self.threads > 1 else ""
        return (
            f"{self.stack_size}{threads}{' bf16' if self.dtype == 'bfloat16' else ''}"
        )


def candidates(
    shape: Shape,
    device: str,
    dtype: str,
    *,
    largest: int,
    threads: Sequence[int] = (1,),
) -> list[Candidate]:
    """Stacks of up to `largest` runs; on CPU also bfloat16 where `dtype` is auto and the model large enough to gain."""
    sizes = [
        size
        for size in (CUDA_SIZES if device == "cuda" else CPU_SIZES)
        if size <= max(1, largest)
    ]
    if device == "cuda":
        return [
            Candidate(size, 1, "float32" if dtype == "float32" else "bfloat16")
            for size in sizes
        ]
    kinds = ["bfloat16"] if dtype == "bfloat16" else ["float32"]
    if dtype == "auto" and shape.n_params >= HALF_FROM_PARAMS:
        kinds.append("bfloat16")
    return [
        Candidate(size, n_threads, kind)
        for size in sizes
        for n_threads in threads
        for kind in kinds
    ]


def measured_rates(
    shape: Shape,
    batch_tokens: int,
    ways: Sequence[Candidate],
    *,
    seconds: float = 1.0,
    device: str = "cpu",
) -> dict[Candidate, float]:
    """Tokens/s of all runs together for each candidate that fits into memory.

    Example: `measured_rates(Shape.named("6k"), 512, candidates(Shape.named("6k"), "cpu", "auto", largest=8))`.
    """
    trials: list[Trial] = []
    rates: dict[Candidate, float] = {}
    for way in ways:
        try:
            trial = Trial(
                shape,
                batch_tokens=batch_tokens,
                way=way,
                device=device,
                seconds=seconds / len(ways) / ROUNDS,
            )
            rates[way] = trial.turn()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            break  # the next ones are larger
        trials.append(trial)
    for _ in range(ROUNDS - 1):
        for trial in trials:
            rates[trial.way] = max(rates[trial.way], trial.turn())
    return rates


def rates_together(workers: "Workers", *arguments, **named) -> dict[Candidate, float]:
    """`measured_rates` of a worker while all others measure the same: the median over them of what
    every one could try.
    """
    found = workers.ask(measured_rates, *arguments, **named)
    return {
        way: median(rates[way] for rates in found)
        for way in found[0]
        if all(way in rates for rates in found)
    }


class Trial:
    """Stacked runs on random tokens that train for `seconds` a turn."""

    def __init__(
        self,
        shape: Shape,
        batch_tokens: int,
        way: Candidate,
        device: str,
        seconds: float,
    ):
        self.way, self.batch_tokens = way, batch_tokens
        weights = Weights(shape, range(way.stack_size), device)
        optimiser = AdamW(weights, [0.01] * way.stack_size, [0.1] * way.stack_size)
        self.take_step = PlainStep(
            build_engine(weights, getattr(torch, way.dtype)), optimiser
        )
        self.tokens = torch.randint(
            0,
            shape.vocab_size,
            (2, way.stack_size, batch_tokens // shape.context, shape.context),
            device=device,
        )
        step_s = self._timed(WARM_STEPS) / WARM_STEPS
        self.n_steps = max(1, round(seconds / max(step_s, 1e-6)))

    def turn(self) -> float:
        """Tokens/s of all runs together over one turn."""
        return (
            self.way.stack_size
            * self.batch_tokens
            * self.n_steps
            / self._timed(self.n_steps)
        )

    def _timed(self, n_steps: int) -> float:
        with compute_threads(self.way.threads):
            started = time.perf_counter()
            for _ in range(n_steps):
                self.take_step(self.tokens[0], self.tokens[1], None, 1.0)
            return time.perf_counter() - started
