"""Which arm a decision names: at the budget asked for, or the one that all its decided budgets share; and whether it
still says what an export was made of.
"""

from dataclasses import dataclass

from stages.decision.record import DecisionRecord, Target
from stages.foundation.errors import InputError, RefusedError
from stages.foundation.files import content_hash
from stages.handing_over.record import ExportManifest

SAME_BUDGET = 0.01  # budgets this close, relative, are one (rounding of 6ND)
# says when and where a record was made, not what it says
OF_THE_MAKING = (
    "created",
    "git_commit",
    "versions",
    "dvc",
    "inputs",
    "params",
    "sources",
    "code",
)


@dataclass(frozen=True)
class Answer:
    """The arm to hand over. flops: the budget it was decided at; None where a person chose it."""

    arm: str
    status: str
    flops: float | None


def answer_of(
    record: DecisionRecord, arm: str | None = None, budget: float | None = None
) -> Answer:
    """The arm asked for, else the one that is decided.

    budget: FLOPs of one of the record's targets. Raises RefusedError where nothing is decided there, InputError
    where the arm or the budget is none of the record's, or the decided budgets name different arms.
    """
    if arm is not None and budget is not None:
        raise InputError("--arm and --budget both name an arm; give one of them")
    if arm is not None:
        if arm not in record.labels:
            raise InputError(
                f"--arm {arm}: the question {record.question.name} has the arms"
                f" {', '.join(record.labels)}"
            )
        return Answer(arm, record.status, None)
    if budget is not None:
        target = _target_at(record, budget)
        if target.status != "decided":
            raise _undecided(record, target.status, f"at {target.flops:.4g} FLOPs")
        return Answer(target.best, target.status, target.flops)
    if record.target is not None:  # the run that the decision was made for
        target = _target_at(record, record.target.flops)
        if target.status != "decided":
            raise _undecided(record, target.status, "at its target")
        return Answer(target.best, target.status, target.flops)
    if record.status != "decided":
        raise _undecided(record, record.status, "as a whole")
    decided = [target for target in record.targets if target.status == "decided"]
    if len({target.best for target in decided}) > 1:
        known = ", ".join(f"{each.best} at {each.flops:.4g}" for each in decided)
        raise InputError(
            f"the decision {record.question.name} names one arm for each budget"
            f" ({known} FLOPs); say yours with --budget FLOPS"
        )
    largest = max(decided, key=lambda target: target.flops)
    return Answer(largest.best, largest.status, largest.flops)


def _target_at(record: DecisionRecord, budget: float) -> Target:
    for target in record.targets:
        if abs(target.flops / budget - 1) <= SAME_BUDGET:
            return target
    known = ", ".join(f"{target.flops:.4g}" for target in record.targets)
    raise InputError(
        f"--budget {budget:g}: the decision {record.question.name} was asked for"
        f" {known} FLOPs; give one of these"
    )


def _undecided(record: DecisionRecord, status: str, where: str) -> RefusedError:
    return RefusedError(
        f"the decision {record.question.name} is not decided {where}"
        f" ({status.replace('_', ' ')}); name an arm yourself with --arm"
        f" ({', '.join(record.labels)})"
    )


def decision_hash(record: DecisionRecord) -> str:
    """The hash that stands in the record's file as `content_hash`."""
    return content_hash(record.as_json())


def answer_hash(record: DecisionRecord) -> str:
    """The same of all that the record says, whenever and wherever it was made."""
    value = record.as_json()
    for name in OF_THE_MAKING:
        value["provenance"].pop(name)
    return content_hash(value)


def changed(manifest: ExportManifest, record: DecisionRecord) -> str:
    """What the decision says now that it did not when the export was made; empty for nothing."""
    bound = manifest.decision
    if bound.answer_hash == answer_hash(record):
        return ""
    target = next((t for t in record.targets if t.flops == bound.flops), None)
    if bound.flops is not None and target is None:
        return f"the decision no longer has a target of {bound.flops:.4g} FLOPs"
    if target is not None and target.best != manifest.arm:
        return f"the decision names {target.best} now, {manifest.arm} was exported"
    if manifest.arm not in record.labels:
        return f"the question no longer has the arm {manifest.arm}"
    status = target.status if target else record.status
    if status != bound.status:
        return f"the decision was {bound.status} and is {status} now"
    if sorted(bound.data_hashes) != sorted(record.provenance.data_hashes):
        return "the decision rests on other data now"
    return "the decision was made again and says other numbers"
