"""Learning rates and branches of a run: every budget is a branch off one trunk, so a ladder of
budgets costs little more than its top.

wsd       warm-up, stable, decay: a budget of S steps leaves the trunk at step
          S - ceil(decay_fraction S), reads the data the trunk would read and decays; the trunk goes
          on from where the branch left it (Hägele et al. 2024)
          cost of budgets b_1..b_n: b_n + decay_fraction (b_1 + ... + b_{n-1}) tokens
wsd_s     the same, but the trunk goes on from the decayed weights (Wen et al. 2024): cost b_n, and
          later budgets contain earlier decays
power     wsd whose stable rate falls as (tokens / power_tokens)^-power_exponent beyond power_tokens
          (Shen et al. 2024)
cosine    every budget is a run of its own from the start, half a cosine long: cost b_1 + ... + b_n
constant  no decay: budgets are read off the trunk as it passes

All budgets decay over the same fraction, so they are comparable with each other and with separate
runs.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stages.foundation.errors import InputError

SCHEDULES = ("wsd", "wsd_s", "power", "cosine", "constant")
DECAY_SHAPES = ("linear", "sqrt")


@dataclass(frozen=True, eq=False)
class Segment:
    """Consecutive steps of the trunk (budget_tokens None) or of one branch. `lr_factors` (steps,) multiply the lr.

    `returns`: the trunk goes on from before this branch, not from its end.
    """

    budget_tokens: int | None
    first_step: int
    lr_factors: np.ndarray
    returns: bool = True

    @property
    def n_steps(self) -> int:
        return len(self.lr_factors)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """What decides the learning rate of every step. Example: `Schedule(warmup_steps=30, decay_fraction=.2)`."""

    name: str = "wsd"
    warmup_steps: int = 0
    decay_fraction: float = 0.2  # of each budget
    decay_shape: str = "linear"  # to zero: linear, or sqrt for 1 - sqrt(x)
    final_fraction: float = 0.1  # cited: where a cosine ends, Hoffmann et al. 2022
    power_tokens: float = math.inf
    power_exponent: float = 0.51  # cited: Shen et al. 2024

    def stable(self, first: int, stop: int, batch_tokens: int) -> np.ndarray:
        """Factors of steps first..stop-1 of the trunk."""
        steps = np.arange(first, stop) + 1
        factors = np.minimum(1.0, steps / max(1, self.warmup_steps))
        if self.name == "power":
            factors = np.minimum(
                factors,
                (np.maximum(1.0, steps * batch_tokens / self.power_tokens))
                ** -self.power_exponent,
            )
        return factors

    def decay(self, n_steps: int) -> np.ndarray:
        """Falls from just below 1; the value after the last would be 0, so that no step is wasted."""
        x = np.arange(1, n_steps + 1) / (n_steps + 1)
        return 1 - (x if self.decay_shape == "linear" else np.sqrt(x))


def segments(
    budgets_tokens: tuple[int, ...],
    *,
    batch_tokens: int,
    decay_fraction: float,
    warmup_steps: int,
    **options,
) -> list[Segment]:
    """Steps in the order in which they run: trunk up to the first branch, that branch, trunk up to
    the second, ...

    options: other fields of Schedule. Example: `segments((5120, 10240), batch_tokens=512,
    decay_fraction=.2, warmup_steps=0)` has 4 segments: trunk 0-7, branch 8-9, trunk 8-15, branch
    16-19.
    """
    schedule = Schedule(
        decay_fraction=decay_fraction, warmup_steps=warmup_steps, **options
    )
    lay_out: dict[str, Callable] = {
        "cosine": _separate,
        "constant": _passing,
        "wsd_s": _in_line,
    }
    return lay_out.get(schedule.name, _branching)(
        schedule, [budget // batch_tokens for budget in budgets_tokens], batch_tokens
    )


def _branching(schedule: Schedule, steps: list[int], batch: int) -> list[Segment]:
    found, trunk_step = [], 0
    for n_steps in steps:
        leave = _leave(schedule, n_steps)
        if leave > trunk_step:
            found.append(
                Segment(None, trunk_step, schedule.stable(trunk_step, leave, batch))
            )
            trunk_step = leave
        found.append(
            Segment(
                n_steps * batch,
                leave,
                _fall(schedule, leave, n_steps=n_steps, batch=batch),
            )
        )
    return found


def _in_line(schedule: Schedule, steps: list[int], batch: int) -> list[Segment]:
    """As _branching, with no way back: a decay must start after the one before has ended."""
    found, at = [], 0
    for n_steps in steps:
        leave = _leave(schedule, n_steps)
        if leave < at:
            raise InputError(
                f"wsd_s: the decay to {n_steps * batch} tokens would start at"
                f" {leave * batch}, inside the decay that ends at {at * batch}; lower"
                " decay_fraction or leave a budget out"
            )
        if leave > at:
            found.append(Segment(None, at, schedule.stable(at, leave, batch)))
        found.append(
            Segment(
                n_steps * batch,
                leave,
                _fall(schedule, leave, n_steps=n_steps, batch=batch),
                returns=False,
            )
        )
        at = n_steps
    return found


def _separate(schedule: Schedule, steps: list[int], batch: int) -> list[Segment]:
    return [
        Segment(n_steps * batch, 0, _cosine(schedule, n_steps, batch))
        for n_steps in steps
    ]


def _passing(schedule: Schedule, steps: list[int], batch: int) -> list[Segment]:
    found = []
    for first, stop in zip([0, *steps], steps, strict=False):
        found += [
            Segment(None, first, schedule.stable(first, stop, batch)),
            Segment(stop * batch, stop, np.empty(0), returns=False),
        ]
    return found


def _leave(schedule: Schedule, n_steps: int) -> int:
    return n_steps - math.ceil(round(schedule.decay_fraction * n_steps, 9))


def _fall(schedule: Schedule, leave: int, n_steps: int, batch: int) -> np.ndarray:
    """A decay from the stable rate; where it starts inside the warm-up, the smaller of the two."""
    decay = schedule.decay(n_steps - leave)
    if schedule.name == "power":
        return (
            decay * schedule.stable(leave, leave + 1, batch)[0] if len(decay) else decay
        )
    return np.minimum(schedule.stable(leave, n_steps, batch), decay)


def _cosine(schedule: Schedule, n_steps: int, batch: int) -> np.ndarray:
    n_warm = min(schedule.warmup_steps, n_steps)
    x = np.maximum(0, np.arange(n_steps) + 1 - n_warm) / max(1, n_steps - n_warm)
    low = schedule.final_fraction
    return np.minimum(
        schedule.stable(0, n_steps, batch),
        low + (1 - low) * 0.5 * (1 + np.cos(np.pi * x)),
    )
