"""Damage by a repeated fraction, measured as a smaller model: N_eff, the size whose clean loss equals the one measured.

A measure and not a law: the damage is NOT monotone in the number of repeats (it peaks where the repeated part
can just be memorised and is small at both ends), so no decay law of repeats may be fitted to it or run past it.
"""

from dataclasses import dataclass

import numpy as np

from stages.foundation.errors import InputError
from stages.laws.interface.table import note


@dataclass(frozen=True)
class Damage:
    """Effective size of each run and its share of the real size, (runs,); warnings as data."""

    effective_params: np.ndarray
    share_of_params: np.ndarray
    warnings: list[dict[str, str]]


def unique_repeated_tokens(
    total_tokens: float, repeated_share: float, repeats: float
) -> float:
    """Different tokens in the repeated part: r T / k."""
    return repeated_share * total_tokens / repeats


def repeat_damage(
    n_params, measured, floor: float, amplitude: float, exponent: float
) -> Damage:
    """Invert the clean law floor + amplitude / N^exponent (fitted on runs without repetition, same tokens).

    n_params, measured: (runs,) size and value on held-out text that was never repeated.

    >>> damage = repeat_damage([8e8], [2.9], floor=1.8, amplitude=60.0, exponent=0.2)
    >>> damage.share_of_params.round(2)
    array([0.6])
    """
    n_params, measured = np.asarray(n_params, float), np.asarray(measured, float)
    if np.any(measured <= floor):
        raise InputError(
            f"a measured value of {measured.min():g} is not above the floor {floor:g}"
            " of the clean law; refit the clean law"
        )
    effective = np.exp(np.log(amplitude / (measured - floor)) / exponent)
    notes = [
        note(
            "damage_not_monotone",
            "warning",
            "damage by repetition peaks at a moderate number of repeats: do not"
            " extrapolate over repeats or epochs",
        )
    ]
    if np.any(effective > 1.02 * n_params):
        notes.append(
            note(
                "better_than_clean",
                "warning",
                f"{int(np.sum(effective > 1.02 * n_params))} runs beat the clean law of"
                " their size: check that it was fitted at the same tokens",
            )
        )
    return Damage(effective, effective / n_params, notes)
