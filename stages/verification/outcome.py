"""The record of one question, put together of what was asked and what was trained."""

from collections.abc import Iterable
from typing import Any

import polars as pl

from stages.decision.record import DecisionRecord
from stages.foundation.files import content_hash
from stages.searched.record import (
    SEARCHED_ARMS,
    Decision,
    SearchedRecord,
    arm_name,
)
from stages.searched.words import label_of
from stages.verification.asked import Asked
from stages.verification.carried_on import best_settings
from stages.verification.judged import judge
from stages.verification.record import VERSION, Verification
from stages.verification.words import lead_row, outcome, run_row, trunk_words


def verified(asked: Asked, table: pl.DataFrame) -> Verification:
    """The record of one question. table: the runs after its decision."""
    decision, claim = asked.decision, asked.claim
    metric = asked.metric
    judged = asked.measured(table)
    measured = best_settings(judged, metric, above=claim.reach)
    found = judge(claim, measured, asked.targets)
    trained = measured["arm"].unique().sort().to_list()
    labels = {arm: arm for arm in trained} | asked.arms | labels_of(decision)
    errors = [abs(run.predicted / run.measured - 1) for run in found.runs]
    right = [each.right for each in found.verdicts if each.right is not None]
    return Verification(
        version=VERSION,
        question=decision.question.name,
        decision=decision_hash(decision),
        metric=metric,
        level=claim.level,
        n_params=claim.n_params,
        fitted_to_flops=claim.reach,
        labels=labels,
        arms={arm: asked.arms.get(arm, "asked for before") for arm in trained},
        runs=found.runs,
        leads=found.leads,
        verdicts=found.verdicts,
        coverage=share(run.inside for run in found.runs),
        mean_error=share(errors),
        lead_coverage=share(lead.inside for lead in found.leads),
        decided_right=sum(right),
        decided_wrong=len(right) - sum(right),
        sentence=outcome(
            found.runs,
            found.leads,
            found.verdicts,
            level=claim.level,
            of=trunk_words(decision),
        ),
        table=[run_row(run, labels) for run in found.runs],
        lead_table=[lead_row(lead, found.verdicts, labels) for lead in found.leads],
    )


def labels_of(decision: Decision) -> dict[str, str]:
    """Arm -> what it does, in words."""
    if isinstance(decision, DecisionRecord):
        return decision.labels
    name = decision.question.name
    return {arm_name(name, part): label_of(decision, part) for part in SEARCHED_ARMS}


def decision_hash(decision: Decision) -> str:
    """What a decision rests on: its question, the runs that were fitted and the law, or what was proposed."""
    fitted = decision.provenance.run_ids
    if isinstance(decision, SearchedRecord):
        proposed = {key: round(each, 6) for key, each in decision.proposal.items()}
        return content_hash([decision.question.name, fitted, proposed])
    return content_hash([decision.question.name, fitted, decision.law.name])


def share(values: Iterable[float]) -> float | None:
    """The mean; None of nothing."""
    listed = list(values)
    return sum(listed) / len(listed) if listed else None


def metrics(record: Verification) -> dict[str, Any]:
    """What DVC and MLflow track of a verification."""
    rounded = {
        name: round(value, 5)
        for name in ("coverage", "mean_error", "lead_coverage")
        if (value := getattr(record, name)) is not None
    }
    return {
        "runs": len(record.runs),
        **rounded,
        "decided_right": record.decided_right,
        "decided_wrong": record.decided_wrong,
    }
