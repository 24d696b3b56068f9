"""The track record over all decisions: a line a claim that was verified, kept by git, never rewritten.

A line is added once for a decision and its runs, with the hash of what it says. Where a later decision is judged on
runs that were there before it, its lines are marked `seen_before` and not counted: whoever made it may have looked.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from stages.decision.at_budgets import Status
from stages.foundation.errors import InputError
from stages.foundation.files import content_hash, whole_file
from stages.foundation.record_files import Record
from stages.foundation.sealed import SEAL, require_seal
from stages.verification.record import Verdict, Verification

# lines of the decision at hand are added again by `assay verify`, those of earlier ones are in git
CURE = "take the line out, or the file back from git"
Summary = dict[str, str | int | float | None]


class Claim(Record):
    """One verified value of an arm, or lead of an arm over another."""

    claim: Literal["value", "lead"] = Field(description="of one run, or of two arms")
    question: str = Field(description="name of the question")
    decision: str = Field(description="hash of the decision that made the claim")
    git_commit: str | None = Field(description="commit of the working tree, + changed")
    metric: str = Field(description="metric of the runs table")
    n_params: int = Field(description="non-embedding parameters")
    arms: list[str] = Field(description="the arm, or the arm and the one it leads")
    flops: float = Field(description="training compute, FLOPs (6ND)")
    times: float = Field(description="of the largest fitted compute at the size")
    predicted: float = Field(description="unit of the metric")
    low: float = Field(description="lower end of its interval")
    high: float = Field(description="upper end of its interval")
    level: float = Field(description="coverage of the interval")
    measured: float = Field(description="unit of the metric")
    inside: bool = Field(description="measured within low to high")
    said: Status | None = Field(
        description="of a lead: what the decision said at the budget; else null"
    )
    right: bool | None = Field(
        description="of a lead of a decided budget: the sign is as said; else null"
    )
    run_ids: list[str] = Field(description="the runs that it was measured on")
    seen_before: bool = Field(description="an earlier line rests on one of the runs")


def claims_of(record: Verification, commit: str | None) -> list[Claim]:
    """The values and leads of one verification, none marked as seen."""
    shared = {
        "question": record.question,
        "decision": record.decision,
        "git_commit": commit,
        "metric": record.metric,
        "n_params": record.n_params,
        "level": record.level,
        "seen_before": False,
    }
    numbers = ("flops", "times", "predicted", "low", "high", "measured", "inside")
    values = [
        Claim(
            claim="value",
            arms=[run.arm],
            said=None,
            right=None,
            run_ids=[run.run_id],
            **{name: getattr(run, name) for name in numbers},
            **shared,
        )
        for run in record.runs
    ]
    said = {verdict.flops: verdict for verdict in record.verdicts}
    leads = [
        Claim(
            claim="lead",
            arms=[lead.arm, lead.against],
            run_ids=lead.run_ids,
            **_said(said.get(lead.flops), lead.measured),
            **{name: getattr(lead, name) for name in numbers},
            **shared,
        )
        for lead in record.leads
    ]
    return values + leads


def _said(verdict: Verdict | None, measured: float) -> dict[str, Any]:
    """What was said at the budget of a lead, and whether its sign is as said."""
    if verdict is None:
        return {"said": None, "right": None}
    right = measured < 0 if verdict.status == "decided" else None
    return {"said": verdict.status, "right": right}


def append(path: Path | str, claims: Sequence[Claim]) -> list[Claim]:
    """Add what the file has not got yet, made where it is missing; what was added."""
    known = read_track_record(path)
    keys = {_key(claim) for claim in known}
    seen = {run for claim in known for run in claim.run_ids}
    new = [
        claim.model_copy(update={"seen_before": bool(seen & set(claim.run_ids))})
        for claim in claims
        if _key(claim) not in keys
    ]
    if new or not Path(path).is_file():
        with whole_file(path) as temporary:
            temporary.write_text("".join(map(_line, [*known, *new])), "utf-8")
    return new


def _key(claim: Claim) -> tuple:
    """What makes two lines the same claim."""
    return claim.claim, claim.decision, *claim.arms, *claim.run_ids


def read_track_record(path: Path | str) -> list[Claim]:
    """Every line of the file, oldest first; none where there is no file. Raises InputError naming the line."""
    if not Path(path).is_file():
        return []
    lines = Path(path).read_bytes().splitlines()
    return [_claim(line, f"{path}:{number}") for number, line in enumerate(lines, 1)]


def track_record_faults(path: Path | str) -> list[str]:
    """What reading the file would refuse first; nothing where it is whole or not there."""
    try:
        read_track_record(path)
    except InputError as error:
        return [str(error)]
    return []


def _line(claim: Claim) -> str:
    value = claim.model_dump()
    return json.dumps({**value, SEAL: content_hash(value)}) + "\n"


def _claim(line: bytes, where: str) -> Claim:
    """A line of an older version has no hash and is taken as it is."""
    try:
        value = json.loads(line.decode("utf-8"))
        plain = {key: each for key, each in value.items() if key != SEAL}
        claim = Claim.model_validate(plain)
    except (ValueError, AttributeError, RecursionError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{where}: no verified claim ({first[:80]}); {CURE}") from None
    require_seal(where, value, CURE)
    return claim


def summary(claims: Sequence[Claim]) -> list[Summary]:
    """One row a power of two of the fitted compute and one over all, of the claims that were not seen before."""
    counted = [claim for claim in claims if not claim.seen_before]
    if not counted:
        return []
    by_times: dict[int, list[Claim]] = {}
    for claim in counted:
        by_times.setdefault(round(math.log2(claim.times)), []).append(claim)
    rows = [_summary(f"{2.0**power:g}", by_times[power]) for power in sorted(by_times)]
    return [*rows, _summary("all", counted)]


def _summary(times: str, claims: Sequence[Claim]) -> Summary:
    values = [claim for claim in claims if claim.claim == "value"]
    leads = [claim for claim in claims if claim.claim == "lead"]
    errors = [abs(claim.predicted / claim.measured - 1) for claim in values]
    ordered = [(claim.predicted < 0) == (claim.measured < 0) for claim in leads]
    decided: dict[tuple, list[bool]] = {}
    for claim in leads:
        if claim.right is not None:
            key = (claim.question, claim.decision, claim.n_params, claim.flops)
            decided.setdefault(key, []).append(claim.right)
    right = sum(all(each) for each in decided.values())
    return {
        "times fitted": times,
        "runs": len(values),
        "mean error %": _percent(errors),
        "inside %": _percent([claim.inside for claim in values]),
        "leads": len(leads),
        "leads inside %": _percent([claim.inside for claim in leads]),
        "order right %": _percent(ordered),
        "decided right": right,
        "decided wrong": len(decided) - right,
    }


def _percent(values: Sequence[float]) -> float | None:
    """The mean in percent; None of nothing."""
    return round(100 * sum(values) / len(values), 1) if values else None
