"""Which arm a decision names: at the budget asked for, or the one that all its decided budgets share, or what was
searched for; and whether it still says what an export was made of.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from stages.decision.at_budgets import Target
from stages.decision.record import DecisionRecord
from stages.foundation.errors import InputError, RefusedError
from stages.foundation.files import content_hash
from stages.handing_over.record import ExportManifest
from stages.searched.record import (
    PROPOSAL,
    SEARCHED_ARMS,
    Decision,
    SearchedRecord,
    values_of,
)

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
    """The arm to hand over, of a search one of SEARCHED_ARMS. flops: the budget it was decided at; None where a person
    chose it.
    """

    arm: str
    status: str
    flops: float | None


def answer_of(
    record: Decision, arm: str | None = None, budget: float | None = None
) -> Answer:
    """The arm asked for, else the one that is decided.

    budget: FLOPs of one of the record's targets. Raises RefusedError where nothing is decided there, InputError
    where the arm or the budget is none of the record's, or the decided budgets name different arms.
    """
    if arm is not None and budget is not None:
        raise InputError("--arm and --budget both name an arm; give one of them")
    if isinstance(record, SearchedRecord):
        return _proposed(record, arm, budget)
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


def _proposed(record: SearchedRecord, arm: str | None, budget: float | None) -> Answer:
    """What a search hands over. Raises as answer_of; a search knows one budget."""
    name = record.question.name
    if budget is not None:
        raise InputError(
            f"--budget {budget:g}: {name} was searched for at one budget; leave it out"
        )
    if arm is not None:
        if arm not in SEARCHED_ARMS:
            raise InputError(
                f"--arm {arm}: {name} was searched for and has"
                f" {', '.join(SEARCHED_ARMS)}"
            )
        return Answer(arm, record.status, None)
    if record.status != "decided":
        raise RefusedError(
            f"the decision {name} is not decided ({record.status.replace('_', ' ')});"
            f" name what to write with --arm ({', '.join(SEARCHED_ARMS)})"
        )
    return Answer(PROPOSAL, record.status, flops_of(record))


def flops_of(record: SearchedRecord) -> float:
    """Compute of the run that a search is for: the target, else the largest proxies, FLOPs (6ND)."""
    if record.target is not None:
        return record.target.flops
    return 6.0 * record.n_params.value * record.n_tokens


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


def decision_hash(record: Decision) -> str:
    """The hash that stands in the record's file as `content_hash`."""
    return content_hash(record.as_json())


def answer_hash(record: Decision) -> str:
    """The same of all that the record says, whenever and wherever it was made."""
    value = record.as_json()
    for name in OF_THE_MAKING:
        value["provenance"].pop(name)
    return content_hash(value)


def changed(manifest: ExportManifest, record: Decision) -> str:
    """What the decision says now that it did not when the export was made; empty for nothing."""
    bound = manifest.decision
    if bound.answer_hash == answer_hash(record):
        return ""
    if isinstance(record, SearchedRecord):
        if why := _proposal_changed(manifest, record):
            return why
        return _made_again(manifest, record, record.status)
    target = next((t for t in record.targets if t.flops == bound.flops), None)
    if bound.flops is not None and target is None:
        return f"the decision no longer has a target of {bound.flops:.4g} FLOPs"
    if target is not None and target.best != manifest.arm:
        return f"the decision names {target.best} now, {manifest.arm} was exported"
    if manifest.arm not in record.labels:
        return f"the question no longer has the arm {manifest.arm}"
    return _made_again(manifest, record, target.status if target else record.status)


def _made_again(manifest: ExportManifest, record: Decision, status: str) -> str:
    """What differs of a decision that names the same as before."""
    bound = manifest.decision
    if status != bound.status:
        return f"the decision was {bound.status} and is {status} now"
    if sorted(bound.data_hashes) != sorted(record.provenance.data_hashes):
        return "the decision rests on other data now"
    return "the decision was made again and says other numbers"


def _proposal_changed(manifest: ExportManifest, record: SearchedRecord) -> str:
    """What a search proposes now in place of what was written; empty where it says the same."""
    if manifest.proposal is None or manifest.arm not in SEARCHED_ARMS:
        return f"the question no longer has the arm {manifest.arm}"
    was, now = manifest.proposal, values_of(record, manifest.arm)
    if was == now:
        return ""

    def moved(name: str) -> float:
        return abs(was.get(name, 0.0) - now.get(name, 0.0))

    name = max(sorted({*was, *now}), key=moved)
    return (
        f"the {manifest.arm.replace('_', ' ')} has {_amount(now, name)} of {name} now,"
        f" {_amount(was, name)} was exported"
    )


def _amount(values: Mapping[str, float], name: str) -> str:
    return f"{values.get(name, 0.0):.3g}"
