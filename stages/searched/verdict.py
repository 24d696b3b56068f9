"""What may be said of a mixture that was searched for, and why: the first objection that holds, else decided."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stages.decision.record import Status
from stages.searched.record import Aimed, BestRun, Repeats, Rung
from stages.settings.decide import DecideParams

UNPREDICTED = 0.9  # of the spread of values: no better than their mean
AT_EDGE = 0.98  # of the reach
Said = tuple[Status, str] | None


@dataclass(frozen=True)
class Evidence:
    """said: the record of `assay mix`, or what it holds of a curve; broken: vetoes that no mixture keeps; tolerance:
    in the unit of the metric; reference: what a proposal is held against, in words; searched: what is proposed.
    """

    said: Mapping[str, Any]
    best: BestRun
    repetition: Mapping[str, Repeats]
    by_rung: list[Rung]
    broken: list[str]
    aimed: Aimed | None
    tolerance: float
    params: DecideParams
    reference: str = "the prior"
    searched: str = "mixture"
    unit: str = "nats"


def verdict(evidence: Evidence) -> tuple[Status, str]:
    """The status, and the reason in one sentence with its numbers."""
    for objection in OBJECTIONS:
        if found := objection(evidence):
            return found
    gain, low, high = evidence.said["objective"]["gain"]
    return "decided", (
        f"The proposal is {gain:.3f} [{low:.3f}, {high:.3f}] {evidence.unit} better"
        f" than {evidence.reference} and lies between the runs{_steady(evidence.by_rung)}."
    )


def _veto(evidence: Evidence) -> Said:
    if not evidence.broken:
        return None
    name = evidence.broken[0]
    veto = evidence.said["vetoes"][name]
    return "insufficient_evidence", (
        f"No mixture within floors, caps and the reach of the runs keeps {name} within"
        f" {veto['allowed']:g} nats of the prior; the nearest loses"
        f" {veto['change'][0]:.3f}."
    )


def _unpredicted(evidence: Evidence) -> Said:
    for name, check in evidence.said["check"].items():
        weight = evidence.said["objective"]["weights"][name]
        if weight > 0 and check["of_spread"] > UNPREDICTED:
            return "insufficient_evidence", (
                f"{name} of runs left out is predicted no better than by its mean"
                f" (error {check['of_spread']:.2f} of the spread); train more or larger"
                " proxies."
            )
    return None


def _repeats(evidence: Evidence) -> Said:
    for pool, repeats in evidence.repetition.items():
        if not repeats.agree:
            return "extrapolating", (
                f"The target would read {pool} {repeats.target_passes:.2g} times, the"
                f" proxies read it {repeats.proxy_passes:.2g} times; with"
                " sweep.pool_passes: target they repeat as it will."
            )
    return None


def _far(evidence: Evidence) -> Said:
    aimed, most = evidence.aimed, evidence.params.max_decades
    if aimed is None or aimed.decades <= most:
        return None
    return "extrapolating", (
        f"The target lies {aimed.decades:.1f} decades of compute beyond the proxies,"
        f" more than {most:g}{_steady(evidence.by_rung)}."
    )


def _edge(evidence: Evidence) -> Said:
    trust = evidence.said["trust"]
    if trust["beyond"] <= AT_EDGE * trust["reach"]:
        return None
    return "extrapolating", (
        f"The proposal lies at the edge of what the runs speak for:"
        f" {trust['beyond']:.1%} of it is beyond them; the best mixture may be further"
        " out, loosen floors and caps or train more runs."
    )


def _tie(evidence: Evidence) -> Said:
    gain, _, high = evidence.said["objective"]["gain"]
    if high >= evidence.tolerance:
        return None
    return "tie", (
        f"No {evidence.searched} is worth more than {evidence.reference}: the proposal"
        f" gains {gain:.4f} {evidence.unit}, at"
        f" most {high:.4f}, and below {evidence.tolerance:.4f} both tie."
    )


def _no_better(evidence: Evidence) -> Said:
    p_better = evidence.said["objective"]["p_better"]
    if p_better >= evidence.params.decide_at:
        return None
    gain, low, high = evidence.said["objective"]["gain"]
    return "insufficient_evidence", (
        f"The proposal is not surely better than {evidence.reference}: P(better) {p_better:.2f},"
        f" gain {gain:.4f} [{low:.4f}, {high:.4f}] {evidence.unit}."
    )


def _worse_than_a_run(evidence: Evidence) -> Said:
    best = evidence.best
    if best.p_not_worse >= evidence.params.decide_at:
        return None
    return "insufficient_evidence", (
        f"The proposal is not surely as good as the best {evidence.searched} trained:"
        f" P {best.p_not_worse:.2f} that it loses less than {evidence.tolerance:.4f}"
        f" {evidence.unit} to {best.run_id}."
    )


def _steady(by_rung: list[Rung]) -> str:
    """How far the answer moves over the sizes and budgets that were trained."""
    if not by_rung:
        return ""
    most = max(rung.moved for rung in by_rung)
    return f"; at the other sizes and budgets it differs by at most {most:.0%}"


OBJECTIONS: tuple[Callable[[Evidence], Said], ...] = (
    _veto,
    _unpredicted,
    _repeats,
    _far,
    _edge,
    _tie,
    _no_better,
    _worse_than_a_run,
)
