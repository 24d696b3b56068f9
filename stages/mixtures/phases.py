"""Two mixtures of one schedule as one: that of the stable phase and that of the decay, half of the shares each.

Laws and search see a swarm of twice as many domains in two groups, each of which adds up to a half whatever part of
the tokens it is: what a phase is worth is what the runs say.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stages.laws.mixing.groups import Group
from stages.presentation.phase_names import DECAY, PHASES, in_phase, of_phase

PART = 0.5


def domains_of(question: Mapping[str, Any]) -> list[str]:
    """What a question of arms.json mixes: pools or clusters or, with two phases, each of them in each."""
    over = list(question["over"])
    if not has_phases(question):
        return over
    return [in_phase(phase, name) for phase in PHASES for name in over]


def has_phases(question: Mapping[str, Any]) -> bool:
    """Whether a question of arms.json has a mixture for each phase."""
    return bool(question.get("two_phases"))


def groups_of(question: Mapping[str, Any]) -> tuple[Group, ...]:
    """The shares that add up: none where all are one whole."""
    if not has_phases(question):
        return ()
    n_parts = len(question["over"])
    return tuple((np.arange(n_parts) + at * n_parts, PART) for at in range(len(PHASES)))


def to_search(
    question: Mapping[str, Any], by_name: Mapping[str, float]
) -> dict[str, float]:
    """A prior, floors or caps by pool as the search has them, by domain."""
    if not has_phases(question):
        return dict(by_name)
    return {
        in_phase(phase, name): value * PART
        for phase in PHASES
        for name, value in by_name.items()
    }


def in_search(question: Mapping[str, Any], shares: Sequence[float]) -> np.ndarray:
    """Spoken shares as the search has them, (domains,)."""
    return np.asarray(shares, float) * (PART if has_phases(question) else 1.0)


def spoken(question: Mapping[str, Any], by_domain: Mapping[str, Any]) -> dict[str, Any]:
    """Shares, or their intervals, as a person has them: those of a phase add up to 1."""
    if not has_phases(question):
        return dict(by_domain)
    return {
        name: (np.asarray(value) / PART).tolist() for name, value in by_domain.items()
    }


def overall(
    question: Mapping[str, Any], by_domain: Mapping[str, float], decay: float
) -> dict[str, float]:
    """Pool -> share of all tokens, of spoken shares. decay: part of the tokens that decays read."""
    if not has_phases(question):
        return dict(by_domain)
    stable, last = (of_phase(by_domain, phase) for phase in PHASES)
    return {name: (1 - decay) * stable[name] + decay * last[name] for name in stable}


def decay_part(measured: np.ndarray, stable: np.ndarray, last: np.ndarray) -> float:
    """Part of the tokens that decays read, of runs: measured = (1 - part) stable + part last, each (runs, pools).

    >>> round(decay_part(np.array([[0.9, 0.1]]), np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])), 6)
    0.2
    """
    moved = last - stable
    part = float(
        ((measured - stable) * moved).sum() / max(float((moved**2).sum()), 1e-12)
    )
    return min(max(part, 0.0), 1.0)


def part_of(phase: str, decay: float) -> float:
    """Part of the tokens that a phase reads."""
    return decay if phase == DECAY else 1 - decay
