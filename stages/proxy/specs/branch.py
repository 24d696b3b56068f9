"""A run that goes on from a trained trunk: where it leaves it, what it reads, how its learning rate falls.

Every budget is counted from the trunk on, and is a decay of its own from the trunk's weights: a branch of S steps that
leaves at step L is, where it reads on in the trunk's data, bit for bit the last S steps of an undisturbed wsd run of
L + S steps. The trunk is trained, and paid, once for all branches (Blakeney et al. 2024; OLMo 2, section 4).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stages.foundation.errors import InputError
from stages.proxy.specs.schedule import Schedule, Segment


@dataclass(frozen=True, kw_only=True)
class Branch:
    """What a run goes on from. Example: `Branch(trunk="0f3a...", trunk_tokens=65_536)`."""

    trunk: str  # names the weights: hash of the trunk's run, or of the user's file
    trunk_tokens: int  # trained before; 0 where nobody knows
    # goes on in its view's stream where the trunk stopped, else begins at its start
    reads_on: bool = False
    # the optimiser's moments come with the weights; without them the rate warms up again
    warm: bool = True

    def __post_init__(self) -> None:
        if self.trunk_tokens < 0:
            raise InputError(
                f"trunk_tokens is {self.trunk_tokens}, it must be at least 0; give the"
                " tokens that the trunk was trained on"
            )

    @property
    def first_token(self) -> int:
        """Where in its own stream the run begins to read."""
        return self.trunk_tokens if self.reads_on else 0

    @classmethod
    def from_dict(cls, values: Mapping | None) -> "Branch | None":
        """The branch of a spec's JSON; None for a run from the start."""
        return None if values is None else cls(**values)


def branch_segments(
    branch: Branch,
    budgets_tokens: tuple[int, ...],
    batch_tokens: int,
    schedule: Schedule,
) -> list[Segment]:
    """One decay a budget, each from the trunk's end; `first_step` is the step at which the trunk was left."""
    leave = branch.trunk_tokens // batch_tokens
    warmed = leave if branch.warm else 0
    found = []
    for budget in budgets_tokens:
        n_steps = budget // batch_tokens
        stable = schedule.stable(warmed, warmed + n_steps, batch_tokens)
        factors = np.minimum(stable, schedule.decay(n_steps))
        found.append(Segment(budget, leave, factors))
    return found
