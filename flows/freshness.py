"""`assay status`: which stages and decisions are fresh, and what made the others stale."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows.with_dvc.reproduced import stale_reasons
from stages.decision.changes import changes_since
from stages.decision.record import DecisionRecord
from stages.foundation import artefacts
from stages.foundation.errors import InputError
from stages.foundation.stage import Stage
from stages.handing_over.register import registered, staleness
from stages.pipeline import PIPELINE
from stages.searched.record import Decision, read_any_decision
from stages.verification.record import read_verification

DEPS = "changed deps: "
MOST_REASONS = 3  # shown of one row


def freshness() -> list[dict[str, Any]]:
    """One row a stage, then one a decision, a verification and an export: name, kind, state, because."""
    if not Path("dvc.yaml").is_file():
        raise InputError(
            f"{Path.cwd()}: no dvc.yaml here; run this in the project's folder"
        )
    own = {stage.name: stale_reasons(stage) for stage in PIPELINE}
    rows: list[dict[str, Any]] = []
    stale: dict[str, list[str]] = {}
    for stage in PIPELINE:
        reasons = own[stage.name] + _inherited(stage, stale)
        if reasons:
            stale[stage.name] = reasons
        rows.append(_row(stage.name, "stage", reasons))
    why = {name: inputs_changed(name, own) or stale[name] for name in stale}
    for file in sorted(Path(artefacts.DECISIONS).glob("*.json")):
        record = read_any_decision(file)
        reasons = why.get("decide", [])
        # DVC knows which products differ, the record of which inputs; code that gives the same products is no reason
        if reasons and not inputs_changed("decide", own):
            reasons = changes_since(record.provenance) or reasons
        row = _row(file.stem, "decision", reasons)
        if not reasons:
            row["state"] = record.status
            row["because"] = _given_up(record)
        rows.append(row)
    for file in sorted(Path(artefacts.VERIFICATIONS).glob("*.json")):
        row = _row(file.stem, "verification", why.get("verify", []))
        if not stale.get("verify"):
            row["state"] = "fresh"
            row["because"] = read_verification(file).sentence
        rows.append(row)
    for line in registered():
        state, because = staleness(line)
        if state == "fresh" and (decided := why.get("decide")):
            state, because = "stale", _some(decided)
        rows.append(
            {"name": line["out"], "kind": "export", "state": state, "because": because}
        )
    return rows


def inputs_changed(name: str, own: dict[str, list[str]]) -> list[str]:
    """What changed of the inputs that no stage makes, of a stage and those before it: `arms: params: arms.seed was 1
    and is 2`. own: stage -> what DVC says of it.
    """
    by_name = {stage.name: stage for stage in PIPELINE}
    before, todo = {name}, [name]
    while todo:
        deps = by_name[todo.pop()].deps
        for stage in PIPELINE:
            if stage.name not in before and _overlap(stage.products, deps):
                before.add(stage.name)
                todo.append(stage.name)
    made = [product for stage in PIPELINE for product in stage.products]
    found = [
        f"{stage.name}: {reason.removeprefix(DEPS)}"
        for stage in PIPELINE
        if stage.name in before
        for reason in own[stage.name]
        if not (
            reason.startswith(DEPS)
            and _overlap(made, [reason.removeprefix(DEPS).partition(" ")[0]])
        )
    ]
    # a new version of the code changes many files: what the user changed comes before them
    return sorted(found, key=lambda reason: ".py " in reason)


def _given_up(record: Decision) -> str:
    """The arms that a decision makes no more runs of; empty for none, and of a search."""
    dropped = record.dropped if isinstance(record, DecisionRecord) else {}
    if not dropped:
        return ""
    arms = (f"{arm} (P(best) {chance:.2g})" for arm, chance in dropped.items())
    return f"stopped early, no run can help them: {', '.join(arms)}"


def _overlap(some: Sequence[str], others: Sequence[str]) -> bool:
    """Whether a path is one of the others, or one holds the other."""
    return any(
        f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")
        for one in some
        for other in others
    )


def _inherited(stage: Stage, stale: dict[str, list[str]]) -> list[str]:
    """Stale stages upstream: what they make will change."""
    return [
        f"stage {other.name} is stale"
        for other in PIPELINE
        if other.name in stale and set(other.products) & set(stage.deps)
    ]


def _row(name: str, kind: str, reasons: list[str]) -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "state": "stale" if reasons else "fresh",
        "because": _some(reasons),
    }


def _some(reasons: list[str]) -> str:
    """The first of the reasons, and how many more there are."""
    more = len(reasons) - MOST_REASONS
    shown = "; ".join(reasons[:MOST_REASONS])
    return f"{shown}; and {more} more" if more > 0 else shown
