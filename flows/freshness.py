"""`assay status`: which stages and decisions are fresh, and what made the others stale."""

from pathlib import Path
from typing import Any

from flows.dvc_stages import stale_reasons
from stages.decision.record import read_decision
from stages.foundation import artefacts
from stages.foundation.errors import InputError
from stages.foundation.stage import Stage
from stages.handing_over.register import registered, staleness
from stages.pipeline import PIPELINE
from stages.verification.record import read_verification


def freshness() -> list[dict[str, Any]]:
    """One row a stage, then one a decision, a verification and an export: name, kind, state, because."""
    if not Path("dvc.yaml").is_file():
        raise InputError(
            f"{Path.cwd()}: no dvc.yaml here; run this in the project's folder"
        )
    rows: list[dict[str, Any]] = []
    stale: dict[str, list[str]] = {}
    for stage in PIPELINE:
        reasons = stale_reasons(stage) + _inherited(stage, stale)
        if reasons:
            stale[stage.name] = reasons
        rows.append(_row(stage.name, "stage", reasons))
    for file in sorted(Path(artefacts.DECISIONS).glob("*.json")):
        row = _row(file.stem, "decision", stale.get("decide", []))
        if not stale.get("decide"):
            row["state"] = read_decision(file).status
        rows.append(row)
    for file in sorted(Path(artefacts.VERIFICATIONS).glob("*.json")):
        row = _row(file.stem, "verification", stale.get("verify", []))
        if not stale.get("verify"):
            row["state"] = "fresh"
            row["because"] = read_verification(file).sentence
        rows.append(row)
    for line in registered():
        state, because = staleness(line)
        if state == "fresh" and stale.get("decide"):
            state, because = "stale", "; ".join(stale["decide"][:3])
        rows.append(
            {"name": line["out"], "kind": "export", "state": state, "because": because}
        )
    return rows


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
        "because": "; ".join(reasons[:3]),
    }
