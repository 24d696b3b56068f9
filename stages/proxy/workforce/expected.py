"""How fast stacked runs will train on a GPU, from operations, bytes and kernels alone: nothing is
run, so a sweep starts at once.

A step takes floor / REACHED + kernels * KERNEL_S. The two constants fit seven timings of recorded
and compiled steps on one H200 within 3 % (1 to 64 runs of 1M and 10M parameters) and an eighth, of
124M, within 6 %; those of plain steps fit six within a fifth. What the first groups really do
corrects the time left (`progress.py`).
"""

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from stages.proxy.specs.shape import Shape
from stages.proxy.specs.spec import RunSpec
from stages.proxy.specs.stack import n_tokens_trained
from stages.proxy.workforce.cards import Limits, limits_here
from stages.proxy.workforce.floors import Part, floor_seconds, step_parts
from stages.proxy.workforce.kinds import kind_of
from stages.proxy.workforce.probe import Candidate

REACHED = 0.72  # measured, as above: of the floor of a step
KERNEL_S = 2e-6  # measured, as above: of one kernel in a recorded step
KERNELS, KERNELS_A_LAYER = 50, 50  # assumed: of a compiled step; 126 to 630 were seen
COMPILE_SECONDS = 17.0  # measured on an H200: 11 to 27 s, loss and update together
START_SECONDS = 6.0  # measured on an H200: of a process until its first step is done
FULL_FLOPS = 1 / 15  # cited: NVIDIA's H100 data sheet, fp32 against dense bfloat16
PLAIN_KERNELS = 1.9  # measured, as above: of a step as it is written, over compiled
PLAIN_BYTES = 5.9  # measured, as above: likewise, bytes of elementwise work


def step_seconds(
    shape: Shape,
    batch_tokens: int,
    n_runs: int,
    limits: Limits,
    compiled: bool = True,
    dtype: str = "bfloat16",
) -> float:
    """Of one recorded step of `n_runs` stacked runs of `batch_tokens` each."""
    if dtype == "float32":
        limits = Limits(limits.flops * FULL_FLOPS, limits.n_bytes / 2)
    parts = step_parts(shape, batch_tokens, n_runs)
    kernels = KERNELS + KERNELS_A_LAYER * shape.n_layers
    if not compiled:
        parts = [_as_written(part) for part in parts]
        kernels = round(kernels * PLAIN_KERNELS)
    floor = floor_seconds(parts, limits.flops, limits.n_bytes)
    return floor / REACHED + kernels * KERNEL_S


def expected_rates(
    shape: Shape,
    batch_tokens: int,
    ways: Sequence[Candidate],
    *,
    seconds: float = 0.0,
    device: str = "cuda",
    limits: Limits | None = None,
) -> dict[Candidate, float]:
    """Tokens/s of all runs together for each candidate. Takes the place of `probe.measured_rates`,
    whose `seconds` it does not need.
    """
    limits = limits or limits_here(torch.device(device))
    return {
        way: way.stack_size
        * batch_tokens
        / step_seconds(
            shape, batch_tokens, way.stack_size, limits=limits, dtype=way.dtype
        )
        for way in ways
    }


def seconds_saved(
    shape: Shape,
    batch_tokens: int,
    n_runs: int,
    n_steps: int,
    limits: Limits,
    dtype: str = "bfloat16",
) -> float:
    """By a program over the kernels as they are written, in `n_steps` of such a stack; compiling takes
    COMPILE_SECONDS a shape.
    """
    plain, compiled = (
        step_seconds(shape, batch_tokens, n_runs, limits, compiled=way, dtype=dtype)
        for way in (False, True)
    )
    return n_steps * (plain - compiled)


def saved_by_compiling(
    groups: Sequence[Sequence[RunSpec]], limits: Limits, n_cards: int = 1
) -> dict[str, float]:
    """Kind -> seconds that its compiled groups take less than plain ones on all cards together, less what compiling
    takes on each; without experts, which are never compiled.
    """
    saved: dict[str, float] = {}
    times: Counter[str] = Counter()
    for group in groups:
        if not group[0].shape.n_experts:
            kind = kind_of(group[0], "cuda")
            times[kind] += 1
            saved[kind] = saved.get(kind, 0.0) + _saved_in(group, limits)
    return {
        kind: gain - COMPILE_SECONDS * min(times[kind], n_cards)
        for kind, gain in saved.items()
    }


def _saved_in(group: Sequence[RunSpec], limits: Limits) -> float:
    """Seconds that a group's compiled steps take less than plain ones."""
    spec = group[0]
    return seconds_saved(
        spec.shape,
        spec.batch_tokens,
        len(group),
        n_steps=n_tokens_trained(spec) // spec.batch_tokens,
        limits=limits,
        dtype="float32" if spec.dtype == "float32" else "bfloat16",
    )


def beside_steps(
    groups: Sequence[Sequence[RunSpec]],
    saved: Mapping[str, float],
    limits: Limits,
    *,
    seconds: Sequence[float] | None = None,
    n_cards: int = 1,
) -> list[float]:
    """Seconds of each group, in the order in which they start, that the rates of a GPU leave out: they are those of
    compiled steps.

    seconds: of the groups at these rates, by which they come to one of `n_cards`, the first that is free; the process
    of each starts and compiles for itself.
    """
    found = []
    cards: list[tuple[float, int]] = [(0.0, card) for card in range(n_cards)]
    begun: list[set[str]] = [set() for _ in cards]
    for group, steps_s in zip(groups, seconds or [0.0] * len(groups), strict=True):
        end, card = heapq.heappop(cards)
        kind = kind_of(group[0], "cuda")
        more = 0.0 if begun[card] else START_SECONDS
        if saved.get(kind, 0.0) <= 0:
            more += _saved_in(group, limits)
        elif kind not in begun[card]:
            more += COMPILE_SECONDS
        begun[card].add(kind)
        found.append(more)
        heapq.heappush(cards, (end + steps_s + more, card))
    return found


def _as_written(part: Part) -> Part:
    """A part that no compiler fuses."""
    if part.flops:
        return part
    return replace(part, n_bytes=PLAIN_BYTES * part.n_bytes)
