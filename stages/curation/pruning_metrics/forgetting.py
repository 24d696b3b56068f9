"""Forgetting events: how often an example was right and then wrong again while training went on
(Toneva et al. 2019).

Question: which examples does a model keep losing? Input: whether each example was right at each
check (runs, checks, n). Output: difficulty (n,), high = keep-hard. An example that was never right
counts as more than any other. Cost: one pass of the pool a check. Fails with few checks (all counts
tie at 0 or 1: check once an epoch at least) and with label noise: an example that is never learnt
may simply be wrong, so keep-hard collects it.
"""

import numpy as np

from stages.foundation.errors import InputError


def forgetting(correct: np.ndarray) -> np.ndarray:
    """Forgetting events (n,), the mean over runs; a run in which an example is never right counts
    as its number of checks.

    At most checks / 2 events can happen, so an example never learnt ranks above all others of its
    run, as infinity would, while means over runs stay finite.

    >>> forgetting(np.array([[[1, 0], [0, 0], [1, 0]]], bool))
    array([1., 3.])
    """
    correct = np.asarray(correct)
    if correct.ndim != 3 or correct.shape[1] < 2 or correct.dtype != bool:
        raise InputError(
            "need true or false for (runs, at least 2 checks, examples), got"
            f" {correct.dtype} of shape {correct.shape}"
        )
    events = (correct[:, :-1] & ~correct[:, 1:]).sum(axis=1)
    return np.where(correct.any(axis=1), events, correct.shape[1]).mean(axis=0)


def never_learnt(correct: np.ndarray) -> np.ndarray:
    """Which examples (n,) were right at no check of any run (runs, checks, n)."""
    return np.logical_not(np.asarray(correct).any(axis=(0, 1)))
