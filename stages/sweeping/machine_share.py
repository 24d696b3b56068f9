"""How much of this machine training may use: what its user says in the environment, else all of its cores."""

import os

from stages.foundation.errors import InputError


def jobs() -> int:
    """Worker processes: ASSAY_JOBS, else one a core that this process may use."""
    cores = (
        len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1
    )
    return _whole_number("ASSAY_JOBS", least=0) or cores


def groups_per_card() -> int:
    """Groups of runs that train on one GPU at once: ASSAY_GROUPS_PER_CARD, else 1. A property of the machine, so it
    stands in no parameter and changes no run.
    """
    return _whole_number("ASSAY_GROUPS_PER_CARD", least=1) or 1


def _whole_number(variable: str, least: int) -> int:
    """Of the environment; 0 where it is not set or empty."""
    text = os.environ.get(variable, "").strip()
    if text and not (text.isdecimal() and int(text) >= least):
        raise InputError(f"{variable}={text}: must be a whole number from {least} on")
    return int(text or 0)
