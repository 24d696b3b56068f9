"""Learning-rate schedules as arrays, what the laws of training curves read of them, and what a
schedule costs.

A schedule is the learning rate of each optimiser step, (steps,), step 1 first. The annealing law
reads two columns made here:
    lr_area S1(t) = sum of the rates up to t      (warm-up counted as it was run)
    lr_fall S2(t) = sum of m_i                    (from the end of the warm-up)
    m_i = decay m_{i-1} + (lr_{i-1} - lr_i)
S2 belongs to its `decay`: a C fitted at .999 means nothing at .995 (C goes as 1 - decay), so keep
them together. The decay belongs to the length of the run (`decay_for`).
"""

from itertools import accumulate

import numpy as np

from stages.foundation.errors import InputError

DECAY = 0.999  # cited: Tissue et al. 2024, default; .99 to .9995 are plausible, and it must match the length of a step
MEMORY = (
    1 / 24
    # of a run's steps; cited: .999 on runs of 24,000; measured: holds at 3,072 and 1,536 steps, where
    # .999 misses a curve by .2 nats
)
SHAPES = ("linear", "cosine", "exponential", "one_minus_sqrt")


def fall(shape: str, n_steps: int, start: float, end: float) -> np.ndarray:
    """Rates of a decay from start to end over n_steps, the last one is `end`; (n_steps,)."""
    x = np.arange(1, n_steps + 1) / n_steps
    if shape == "exponential":
        return start * (end / start) ** x
    left = {
        "linear": 1 - x,
        "cosine": 0.5 * (1 + np.cos(np.pi * x)),
        "one_minus_sqrt": 1 - np.sqrt(x),
    }
    if shape not in left:
        raise InputError(
            f"no decay is called '{shape}'; there are: {', '.join(SHAPES)}"
        )
    return end + (start - end) * left[shape]


def warmup_stable_decay(
    n_steps: int,
    peak: float,
    *,
    warmup: int = 0,
    decay_steps: int = 0,
    end: float = 0.0,
    shape: str = "linear",
) -> np.ndarray:
    """Linear warm-up, constant peak, decay over the last decay_steps; decay_steps = n_steps - warmup is one long decay.

    >>> warmup_stable_decay(6, 1.0, warmup=2, decay_steps=2, end=0.1)
    array([0.5 , 1.  , 1.  , 1.  , 0.55, 0.1 ])
    """
    if warmup + decay_steps > n_steps:
        raise InputError(
            f"warm-up and decay of {warmup} + {decay_steps} steps do not fit in"
            f" {n_steps}"
        )
    rise = peak * np.arange(1, warmup + 1) / max(warmup, 1)
    flat = np.full(n_steps - warmup - decay_steps, peak)
    return np.concatenate([rise, flat, fall(shape, decay_steps, start=peak, end=end)])


def lr_area(lr, steps=None) -> np.ndarray:
    """S1 at each step, or at `steps` (1 is the first)."""
    area = np.cumsum(np.asarray(lr, float))
    return area if steps is None else area[np.asarray(steps, int) - 1]


def lr_fall(lr, steps=None, *, warmup: int = 0, decay: float = DECAY) -> np.ndarray:
    """S2 at each step, or at `steps`; rises of the rate during the warm-up do not count."""
    drops = -np.diff(np.asarray(lr, float), prepend=lr[0])
    drops[:warmup] = 0.0
    area = np.cumsum(
        list(accumulate(drops, lambda momentum, drop: decay * momentum + drop))
    )
    return area if steps is None else area[np.asarray(steps, int) - 1]


def decay_for(n_steps: int) -> float:
    """The `decay` of a run of so many steps: S2 forgets over a fixed share of it. Two curves do not
    tell it (benchmarks/proxy_annealing.py).

    >>> decay_for(24_000), decay_for(3072)
    (0.999, 0.9921875)
    """
    return 1 - 1 / (MEMORY * n_steps)


def wsd_cost(flops, cooldown: float) -> float:
    """FLOPs of runs of one size with one shared stem, each with its own cooldown, over those of separate runs.

    flops: (lengths,) of the separate runs. cooldown: share of a run. Cost = longest run + cooldown of each other.

    >>> wsd_cost([1.0, 2.0, 4.0], 0.2)
    0.6571428571428571
    """
    flops = np.asarray(flops, float)
    return float((flops.max() + cooldown * (flops.sum() - flops.max())) / flops.sum())
