"""What is mixed in each phase of a schedule, by name: `stable web` and `decay web`."""

from collections.abc import Mapping

STABLE, DECAY = PHASES = ("stable", "decay")


def in_phase(phase: str, name: str) -> str:
    """The name of a pool or cluster in a phase.

    >>> in_phase(DECAY, "web")
    'decay web'
    """
    return f"{phase} {name}"


def of_phase(values: Mapping[str, float], phase: str) -> dict[str, float]:
    """Pool -> value, of one phase of values by domain.

    >>> of_phase({"stable web": 1.0, "decay web": 0.5, "decay code": 0.5}, "decay")
    {'web': 0.5, 'code': 0.5}
    """
    head = in_phase(phase, "")
    return {
        name.removeprefix(head): value
        for name, value in values.items()
        if name.startswith(head)
    }
