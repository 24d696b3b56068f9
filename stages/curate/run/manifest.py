"""What a run did: counts that add up, the report of each reason, hashes, settings and versions.

Question: where did the documents go, and which bytes came out? Input: the counts of units and
parts. Output: manifest.json for programs, report.md for people, quarantine.jsonl. The ledger is
refused when documents were lost or invented.
"""

import json
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from stages.curate.run.page import page
from stages.curate.run.plan import Plan
from stages.curate.run.step_list import build_limits
from stages.curate.run.versions import versions
from stages.curate.searches.drops import search_steps
from stages.curate.searches.findings import Findings, search_limits
from stages.curate.work.manifest_file import (
    CopyPair,
    Counts,
    Manifest,
    ReasonRow,
    Side,
    Warned,
)
from stages.curate.work.tally import merge, nearest_zero
from stages.curation.reading import storage
from stages.curation.rules.by_language import note
from stages.curation.selecting.ledger import Count, Ledger
from stages.foundation.files import content_hash, read_json
from stages.settings.curate import CurateSettings, result_settings

# assumed: so little is left of raw crawls by the strictest published pipelines; of fewer documents it says nothing
LITTLE_KEPT, LEAST_DOCUMENTS = 0.1, 20


def build_manifest(
    settings: CurateSettings,
    plan: Plan,
    units: Iterable[Path],
    parts: list[dict],
    found: Findings,
    *,
    segments: list[str],
    result_hash: str,
) -> Manifest:
    """The manifest of a run; `units` are the folders of the input's units."""
    total = merge(read_json(folder / "done.json") for folder in units)
    files = [entry for part in parts for entry in part["files"]]
    searched = _searched(parts, settings)
    removed = _added(part["repeats"] for part in parts)
    examples = total["examples"] | {
        name: entry["examples"] for name, entry in searched.items()
    }
    kept, dropped = _side("kept", files), _side("dropped", files)
    ledger = _ledger(
        total,
        searched,
        removed_chars=removed["removed_chars"],
        settings=settings,
        kept=kept,
    )
    reasons = _reasons(settings, total, searched=searched, found=found)
    counted = ("rows", "bad_rows", "empty", "documents", "characters")
    return Manifest(
        counts=Counts(
            **{name: total[name] for name in counted},
            bad_files=sum(
                fault["rest"] is not None for fault in total["faults"].values()
            ),
            kept=kept.documents,
            dropped=dropped.documents,
        ),
        ledger=ledger.frame().drop("tokens", "pool").to_dicts(),
        reasons=reasons,
        examples={
            name: [example[1:] for example in examples[name]]
            for name in [*total["reasons"], *searched]
            if name in examples
        },
        repeats=removed | {"most": found.most} if found.most else None,
        copies=[CopyPair(**pair) for pair in found.pairs],
        warnings=[
            *_warnings(settings, total, found),
            *_little_kept(settings.pool, total["documents"], kept.documents, reasons),
        ],
        languages=dict(sorted(total["languages"].items())),
        faults=total["faults"],
        empty_files=plan.empty,
        ignored_files=plan.ignored,
        kept=kept,
        dropped=dropped,
        inputs=plan.inputs,
        settings=result_settings(settings),
        versions=versions(),
        segments=segments,
        result_hash=result_hash,
    )


def _warnings(settings: CurateSettings, total: dict, found: Findings) -> list[Warned]:
    """What the searches found, and documents that only the language-free rules judged."""
    warnings = [
        Warned(code=warning.code, message=warning.message) for warning in found.warnings
    ]
    if message := note(total["languages"], settings.pool):
        warnings.append(Warned(code="no_language", message=message))
    return warnings


def _little_kept(
    pool: str, documents: int, kept: int, reasons: list[ReasonRow]
) -> list[Warned]:
    """Whether nearly all of a pool goes: more often a setting of another language or kind than junk."""
    if documents < LEAST_DOCUMENTS or kept >= LITTLE_KEPT * documents:
        return []
    most = max(reasons, key=lambda row: row.documents_in_order, default=None)
    why = f", most for {most.reason} ({most.documents_in_order:,})" if most else ""
    return [
        Warned(
            code="little_kept",
            message=(
                f"{pool}: {kept:,} of {documents:,} documents stay{why}; look at the"
                " examples before you train on them"
            ),
        )
    ]


def _searched(parts: list[dict], settings: CurateSettings) -> dict[str, dict]:
    """Reason of a search -> what it dropped, in order."""
    total: dict[str, dict] = {}
    for part in parts:
        for reason, entry in part["searched"].items():
            known = total.setdefault(
                reason, {"documents": 0, "characters": 0, "examples": []}
            )
            known["documents"] += entry["documents"]
            known["characters"] += entry["characters"]
            known["examples"] = nearest_zero([*known["examples"], *entry["examples"]])
    return {
        name: total[name]
        for name in chain(*search_steps(settings).values())
        if name in total
    }


def _added(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total = {"removed_chars": 0}
    for part in counts:
        for name, value in part.items():
            total[name] = total.get(name, 0) + value
    return total


def _side(side: str, files: list[dict]) -> Side:
    """Documents, characters, one hash over the files, and the files."""
    own = [entry for entry in files if entry["file"].startswith(f"{side}/")]
    totals = {
        name: sum(entry[name] for entry in own)
        for name in ("documents", "characters", "bytes")
    }
    return Side(
        **totals, hash=content_hash([entry["hash"] for entry in own]), files=own
    )


def _ledger(
    total: dict,
    searched: dict[str, dict],
    removed_chars: int,
    settings: CurateSettings,
    kept: Side,
) -> Ledger:
    ledger = Ledger()
    left = Count(total["documents"], total["characters"])
    outside = {
        "empty": Count(total["empty"], 0),
        "cannot be read": Count(total["bad_rows"], 0),
    }
    ledger.add(
        "read", Count(total["rows"], total["characters"]), kept=left, dropped=outside
    )
    steps = {
        "rules": {
            name: Count(counts[2], counts[3])
            for name, counts in total["reasons"].items()
        }
    }
    for step, names in search_steps(settings).items():
        steps[step] = {
            name: Count(searched[name]["documents"], searched[name]["characters"])
            for name in names
            if name in searched
        }
    if removed_chars:
        steps["lines"]["cut out of kept documents"] = Count(0, removed_chars)
    steps = {
        step: dropped
        for step, dropped in steps.items()
        if dropped or step in ("rules", "copies")
    }
    for step, dropped in steps.items():
        before, gone = left, sum(dropped.values(), start=Count())
        left = Count(
            before.documents - gone.documents, before.characters - gone.characters
        )
        written = Count(kept.documents, kept.characters)
        ledger.add(
            step,
            before,
            kept=written if step == list(steps)[-1] else left,
            dropped=dropped,
        )
    return ledger


def _reasons(
    settings: CurateSettings, total: dict, searched: dict[str, dict], found: Findings
) -> list[ReasonRow]:
    """One row a reason, in order: what it asks for, and what it drops alone and after those before it."""
    limits = build_limits(settings) | search_limits(settings, found)
    rows = []
    for name, (alone, alone_chars, first, first_chars) in total["reasons"].items():
        row = ReasonRow(
            reason=name,
            asks=limits.get(name, ""),
            documents_alone=alone,
            characters_alone=alone_chars,
            documents_in_order=first,
            characters_in_order=first_chars,
        )
        rows.append(row)
    for name, entry in searched.items():
        row = ReasonRow(
            reason=name,
            asks=limits.get(name, ""),
            documents_alone=None,
            characters_alone=None,
            documents_in_order=entry["documents"],
            characters_in_order=entry["characters"],
        )
        rows.append(row)
    return rows


def write_result(
    out: str, folder: Path, manifest: Manifest, units: Iterable[Path]
) -> None:
    """Quarantine and report, and the manifest last: where it is, the run is complete."""
    if manifest.counts.bad_rows or manifest.counts.bad_files:
        target = folder / "quarantine.jsonl"
        with storage.disk_errors(out), open(target, "wb") as file:
            for unit in units:
                with open(unit / "bad.jsonl", "rb") as part:
                    while piece := part.read(1 << 20):
                        file.write(piece)
        storage.publish(target, storage.join(out, "quarantine.jsonl"))
    for name, text in (
        ("report.md", page(manifest)),
        (
            "manifest.json",
            json.dumps(manifest.as_json(), indent=2, ensure_ascii=False) + "\n",
        ),
    ):
        with storage.disk_errors(out):
            (folder / name).write_text(text, "utf-8")
        storage.publish(folder / name, storage.join(out, name))
