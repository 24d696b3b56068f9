"""Where a power law begins: the smallest budgets of a ladder lie before it and would bend the fit.

From the largest token budgets down, the law is fitted to the budgets above a rung and asked for
that rung. A rung that it misses by more than the noise of the fit explains lies before the law; it
and all below are left out, with the miss as reason. Ours; what it rests on: at small scale loss
against log tokens is S-shaped before it is a power law.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.foundation.errors import InputError
from stages.laws.fitting.fit import fit_law
from stages.laws.interface.law import Law

LEAST_RUNGS = 4  # assumed: fewer budgets do not hold the exponent over tokens
MISS_OVER_RMS = 3.0  # assumed: a rung may lie three times the residual of the fit beside its extrapolation
LEAST_NOISE = 0.004  # measured: runs of equal data differ by .3 to .5 % of the loss from seed to seed


@dataclass(frozen=True)
class Onset:
    """`keep` marks the rows of the law, `least_tokens` is their smallest budget, `reason` one line
    for what was left out.
    """

    keep: np.ndarray
    least_tokens: float
    reason: str
    # budget -> mean log error of the law above it at this rung (measured over predicted)
    misses: dict[float, float]


def power_law_onset(
    law: Law, rows, *, by_arm: Sequence[str] = (), n_starts: int = 64, seed: int = 0
) -> Onset:
    """Leave out the budgets (column n_tokens_seen) that lie before `law` holds.

    rows: columns of the law and `value`, (runs,) each; by_arm as in `fit_law`. The four largest
    budgets, or more until they make two more rows than the law has parameters, are always kept;
    InputError where the table has fewer.
    """
    tokens = np.asarray(rows["n_tokens_seen"], float)
    rungs = np.unique(tokens)
    n_arms = len(np.unique(np.asarray(rows["arm"]).astype(str))) if by_arm else 1
    first = _first_fit(
        tokens, rungs, len(law.parameters) + len(by_arm) * (n_arms - 1) + 2
    )
    misses, cut, noise = {}, first, None
    for index in range(first - 1, -1, -1):
        above, here = tokens >= rungs[index + 1], tokens == rungs[index]
        fit = fit_law(
            law,
            _part(rows, above),
            by_arm=by_arm,
            n_starts=n_starts,
            seed=seed,
            identify=False,
        )
        miss = float(
            np.mean(
                np.log(np.asarray(rows["value"], float)[here])
                - np.log(fit.predict(_part(rows, here)))
            )
        )
        misses[float(rungs[index])] = miss
        # of the largest budgets: later fits bend to what they took in
        noise = max(fit.rms_log, LEAST_NOISE) if noise is None else noise
        if abs(miss) > MISS_OVER_RMS * noise:
            break
        cut = index
    return Onset(
        tokens >= rungs[cut],
        least_tokens=float(rungs[cut]),
        reason=_reason(rungs, cut, misses),
        misses=misses,
    )


def _first_fit(tokens: np.ndarray, rungs: np.ndarray, n_needed: int) -> int:
    """Index of the highest rung from which on there are rows enough to fit."""
    for index in range(len(rungs) - 1, -1, -1):
        if (tokens >= rungs[index]).sum() >= n_needed and len(
            rungs
        ) - index >= LEAST_RUNGS:
            return index
    raise InputError(
        f"the table has {len(tokens)} runs at {len(rungs)} budgets, finding where its"
        f" law begins needs {n_needed} at {LEAST_RUNGS}; train more sizes or budgets"
    )


def _reason(rungs: np.ndarray, cut: int, misses: dict[float, float]) -> str:
    if cut == 0:
        return "every budget follows the law"
    below = float(rungs[cut - 1])
    if below not in misses:
        return f"budgets below {rungs[cut]:,.0f} tokens were not tried"
    return (
        f"budgets up to {below:,.0f} tokens lie before the power law and are left out:"
        f" the law of the larger ones misses {below:,.0f} by"
        f" {100 * misses[below]:+.1f} %"
    )


def _part(rows, mask: np.ndarray) -> dict[str, np.ndarray]:
    return {name: np.asarray(column)[mask] for name, column in rows.items()}
