"""Memorisation and influence from models trained on random subsets (Feldman & Zhang 2020).

Question: which examples does a model get right only because it saw them, and which held-out ones do
they help? Input: what models trained on random subsets got right: `correct` (models, n) on the
pool, `included` (models, n) whether the model saw the example, `held_out_correct` (models, m).
Output: scores (n,), high = keep-hard.
    mem_i   = P[right on i | i in S] - P[right on i | i not in S]
    infl_ij = P[right on j | i in S] - P[right on j | i not in S]
    influence-max = max_j infl,   influence-sum-abs = sum_j |infl|
The original trains 2,000 to 4,000 models on 70 % each; the standard error of an entry is about
sqrt(.25/k_in + .25/k_out), so small data and stacked small models are the only place where this is
cheap. Cost: the training, and one (n x models) by (models x m) product. Fails with few models:
influence-max of 100 models is the largest of m noisy numbers (the test shows it), and with label
noise: a wrong label is memorised by definition, so keep-hard collects it.
"""

import numpy as np

from stages.foundation.errors import InputError


def memorisation(correct: np.ndarray, included: np.ndarray) -> np.ndarray:
    """mem (n,) of `correct` and `included`, both (models, n) bool."""
    correct, included = _checked(correct, included)
    inside = (correct & included).sum(axis=0) / included.sum(axis=0)
    outside = (correct & ~included).sum(axis=0) / (~included).sum(axis=0)
    return inside - outside


def influence(held_out_correct: np.ndarray, included: np.ndarray) -> np.ndarray:
    """infl (n, m): how much more often held-out example j is right when pool example i was trained on."""
    held_out = np.asarray(held_out_correct)
    _, included = _checked(np.zeros(np.shape(included), bool), included)
    if held_out.ndim != 2 or len(held_out) != len(included):
        raise InputError(
            f"{len(included)} models need as many rows of held-out results, got shape"
            f" {held_out.shape}"
        )
    weight = included / included.sum(axis=0) - ~included / (~included).sum(axis=0)
    return (weight.T.astype(np.float32) @ held_out.astype(np.float32)).astype(
        np.float64
    )


def influence_max(infl: np.ndarray) -> np.ndarray:
    """Largest help to any one held-out example (n,)."""
    return infl.max(axis=1)


def influence_sum_abs(infl: np.ndarray) -> np.ndarray:
    """Sum over held-out examples of the size of the influence (n,)."""
    return np.abs(infl).sum(axis=1)


def random_subsets(
    n: int, n_models: int, share: float = 0.7, seed: int = 0
) -> np.ndarray:
    """included (models, n) bool: each model sees round(share n) examples; every example is inside
    and outside somewhere.

    Drawn in pairs of a subset and one that holds its complement, where share is at least half,
    which evens the counts.
    """
    if not 0 < share < 1 or n_models < 2 or n < 2:
        raise InputError(
            f"{n_models} subsets of {share:g} of {n} examples give no contrast; use at"
            " least 2 models and a share inside 0 to 1"
        )
    random, size = np.random.default_rng(seed), min(n - 1, max(1, round(share * n)))
    included = np.zeros((n_models, n), bool)
    for model in range(0, n_models, 2):
        order = random.permutation(n)
        included[model, order[:size]] = True
        included[model + 1 : model + 2, order[::-1][:size]] = True
    never = included.all(axis=0) | ~included.any(axis=0)
    if never.any():
        raise InputError(
            f"{int(never.sum())} of {n} examples are in all or none of {n_models}"
            " subsets; train more models"
        )
    return included


def _checked(
    correct: np.ndarray, included: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    correct, included = np.asarray(correct), np.asarray(included)
    if (
        correct.shape != included.shape
        or correct.ndim != 2
        or correct.dtype != bool
        or included.dtype != bool
    ):
        raise InputError(
            f"need true or false of one shape (models, examples), got {correct.shape}"
            f" {correct.dtype} and {included.shape} {included.dtype}"
        )
    seen = included.sum(axis=0)
    if ((seen == 0) | (seen == len(included))).any():
        raise InputError(
            f"{int(((seen == 0) | (seen == len(included))).sum())} examples are in all"
            f" or none of the {len(included)} subsets; train more models"
        )
    return correct, included
