"""Warm-up, stable, decay: every budget is a branch off one trunk, so a ladder of budgets costs little more than its top.

A budget of S steps leaves the trunk at step S - ceil(decay_fraction S), reads the data the trunk would read and decays
linearly to zero over the rest; the trunk goes on from where the branch left it. All budgets decay over the same
fraction, so they are comparable with each other and with separate runs (Hägele et al. 2024).
Cost of budgets b_1..b_n: b_n + decay_fraction (b_1 + ... + b_{n-1}) tokens.
"""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Segment:
    """Consecutive steps of the trunk (budget_tokens None) or of one branch. `lr_factors` (steps,) multiply the lr."""

    budget_tokens: int | None
    first_step: int
    lr_factors: np.ndarray

    @property
    def n_steps(self) -> int:
        return len(self.lr_factors)


def segments(budgets_tokens: tuple[int, ...], *, batch_tokens: int, decay_fraction: float, warmup_steps: int) -> list[Segment]:
    """Steps in the order in which they run: trunk up to the first branch, that branch, trunk up to the second, ...

    Example: `segments((5120, 10240), batch_tokens=512, decay_fraction=.2, warmup_steps=0)` has 4 segments: trunk 0-7,
    branch 8-9, trunk 8-15, branch 16-19.
    """
    found, trunk_step = [], 0
    for budget in budgets_tokens:
        n_steps = budget // batch_tokens
        leave = n_steps - math.ceil(round(decay_fraction * n_steps, 9))
        if leave > trunk_step:
            found.append(Segment(None, trunk_step, _warmup(trunk_step, leave, warmup_steps)))
            trunk_step = leave
        found.append(Segment(budget, leave, np.minimum(_warmup(leave, n_steps, warmup_steps), _decay(n_steps - leave))))
    return found


def _warmup(first: int, stop: int, warmup_steps: int) -> np.ndarray:
    return np.minimum(1.0, (np.arange(first, stop) + 1) / max(1, warmup_steps))


def _decay(n_steps: int) -> np.ndarray:
    """Falls in equal steps from just below 1; the value after the last would be 0, so that no step is wasted."""
    return 1 - np.arange(1, n_steps + 1) / (n_steps + 1)
