"""Loss over answers alone: targets that are of a prompt are IGNORED, and the mean is over the others of a whole batch.

A step is the gradient of (sum of losses of scored targets) / (their number, of this run and batch); a batch without
any has loss 0 and no gradient. Prompts are attended to as any tokens are.
"""

import torch

IGNORED = -100  # torch's own word in `cross_entropy`: no loss and no gradient


def n_scored(targets: torch.Tensor) -> torch.Tensor:
    """Scored targets of each run (R,), 1 where there are none; targets (R, B, T)."""
    return (targets != IGNORED).sum((1, 2)).clamp(min=1)
