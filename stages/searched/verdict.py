"""What may be said of a searched record, and why: the first objection that holds, else decided."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stages.decision.at_budgets import Status
from stages.searched.record import Rung, SearchedRecord
from stages.searched.words import REFERENCES, difference_unit, sentence, tables
from stages.settings.decide import DecideParams

UNPREDICTED = 0.9  # of the spread of values: no better than their mean
AT_EDGE = 0.98  # of the reach
SEARCHED = {"mixture": "mixture", "upsampling": "curve"}
Said = tuple[Status, str] | None


@dataclass(frozen=True)
class Draft:
    """A record with all of its numbers. broken: vetoes that no mixture keeps."""

    record: SearchedRecord
    broken: Sequence[str]
    params: DecideParams

    @property
    def reference(self) -> str:
        """What the proposal is held against, in words."""
        return REFERENCES[self.record.kind]

    @property
    def unit(self) -> str:
        """Of differences of the sum that is minimised."""
        return difference_unit(self.record.unit)


def finished(
    record: SearchedRecord, params: DecideParams, broken: Sequence[str] = ()
) -> SearchedRecord:
    """The draft of a record with its status, the reason, its sentence and its tables."""
    status, reason = verdict(Draft(record, broken, params))
    judged = record.model_copy(update={"status": status, "reason": reason})
    words = {"sentence": sentence(judged), "tables": tables(judged)}
    return judged.model_copy(update=words)


def verdict(draft: Draft) -> tuple[Status, str]:
    """The status, and the reason in one sentence with its numbers."""
    for objection in OBJECTIONS:
        if found := objection(draft):
            return found
    gain, low, high = draft.record.objective.gain
    return "decided", (
        f"The proposal is {gain:.3f} [{low:.3f}, {high:.3f}] {draft.unit} better"
        f" than {draft.reference} and lies between the runs{_steady(draft.record.by_rung)}."
    )


def _veto(draft: Draft) -> Said:
    if not draft.broken:
        return None
    name = draft.broken[0]
    veto = draft.record.vetoes[name]
    unit = next(each.unit for each in draft.record.metrics if each.name == name)
    return "insufficient_evidence", (
        f"No mixture within floors, caps and the reach of the runs keeps {name} within"
        f" {veto.allowed:g} {difference_unit(unit)} of the prior; the nearest loses"
        f" {veto.change[0]:.3f}."
    )


def _unpredicted(draft: Draft) -> Said:
    weights = {each.name: each.weight for each in draft.record.metrics}
    for name, check in draft.record.check.items():
        if weights[name] > 0 and check["of_spread"] > UNPREDICTED:
            return "insufficient_evidence", (
                f"{name} of runs left out is predicted no better than by its mean"
                f" (error {check['of_spread']:.2f} of the spread); train more or larger"
                " proxies."
            )
    return None


def _repeats(draft: Draft) -> Said:
    for pool, repeats in draft.record.repetition.items():
        if not repeats.agree:
            return "extrapolating", (
                f"The target would read {pool} {repeats.target_passes:.2g} times, the"
                f" proxies read it {repeats.proxy_passes:.2g} times; with"
                " sweep.pool_passes: target they repeat as it will."
            )
    return None


def _far(draft: Draft) -> Said:
    aimed, most = draft.record.target, draft.params.max_decades
    if aimed is None or aimed.decades <= most:
        return None
    return "extrapolating", (
        f"The target lies {aimed.decades:.1f} decades of compute beyond the proxies,"
        f" more than {most:g}{_steady(draft.record.by_rung)}."
    )


def _edge(draft: Draft) -> Said:
    record = draft.record
    if record.beyond <= AT_EDGE * record.reach:
        return None
    return "extrapolating", (
        f"The proposal lies at the edge of what the runs speak for:"
        f" {record.beyond:.1%} of it is beyond them; the best mixture may be further"
        " out, loosen floors and caps or train more runs."
    )


def _tie(draft: Draft) -> Said:
    gain, _, high = draft.record.objective.gain
    tolerance = draft.record.tolerance
    if high >= tolerance:
        return None
    return "tie", (
        f"No {SEARCHED[draft.record.kind]} is worth more than {draft.reference}: the"
        f" proposal gains {gain:.4f} {draft.unit}, at most {high:.4f}, and below"
        f" {tolerance:.4f} both tie."
    )


def _no_better(draft: Draft) -> Said:
    p_better = draft.record.objective.p_better
    if p_better >= draft.params.decide_at:
        return None
    gain, low, high = draft.record.objective.gain
    return "insufficient_evidence", (
        f"The proposal is not surely better than {draft.reference}: P(better)"
        f" {p_better:.2f}, gain {gain:.4f} [{low:.4f}, {high:.4f}] {draft.unit}."
    )


def _worse_than_a_run(draft: Draft) -> Said:
    best = draft.record.best_run
    if best.p_not_worse >= draft.params.decide_at:
        return None
    return "insufficient_evidence", (
        f"The proposal is not surely as good as the best {SEARCHED[draft.record.kind]}"
        f" trained: P {best.p_not_worse:.2f} that it loses less than"
        f" {draft.record.tolerance:.4f} {draft.unit} to {best.run_id}."
    )


def _steady(by_rung: list[Rung]) -> str:
    """How far the answer moves over the sizes and budgets that were trained."""
    if not by_rung:
        return ""
    most = max(rung.moved for rung in by_rung)
    return f"; at the other sizes and budgets it differs by at most {most:.0%}"


OBJECTIONS: tuple[Callable[[Draft], Said], ...] = (
    _veto,
    _unpredicted,
    _repeats,
    _far,
    _edge,
    _tie,
    _no_better,
    _worse_than_a_run,
)
