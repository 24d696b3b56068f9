"""Which exports were made from this project, so that `assay status` can say which of them are stale.

A JSON line an export in data/exports.jsonl, the latest of a folder alone; folders inside the project are relative.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stages.foundation import artefacts
from stages.foundation.errors import InputError
from stages.foundation.files import whole_file
from stages.handing_over.answer import changed
from stages.handing_over.record import ExportManifest
from stages.handing_over.work import MANIFEST
from stages.pools.removal import entries_hash, entries_of
from stages.searched.record import read_any_decision
from stages.settings.pools import list_files

FILE = Path(artefacts.EXPORTS)


def register(
    out: Path, manifest: ExportManifest, removed: str | Sequence[str] | None
) -> None:
    """Add the export, in place of an earlier one in its folder. removed: `ingest.removed`, as it was."""
    line = {
        "out": _named(out),
        "question": manifest.question,
        "arm": manifest.arm,
        "format": manifest.format,
        "plan_hash": manifest.plan_hash,
        "removed": removed,
    }
    lines = [known for known in registered() if known["out"] != line["out"]]
    if [*lines, line] == registered():
        return
    with whole_file(FILE) as temporary:
        text = "".join(json.dumps(each) + "\n" for each in [*lines, line])
        temporary.write_text(text, "utf-8")


def registered() -> list[dict[str, Any]]:
    """The exports that were made, by time. Raises InputError where the file is damaged."""
    if not FILE.is_file():
        return []
    found = []
    for number, text in enumerate(FILE.read_text("utf-8").splitlines(), start=1):
        try:
            value = json.loads(text)
            assert isinstance(value["out"], str)
        except (ValueError, KeyError, TypeError, AssertionError):
            raise InputError(
                f"{FILE}:{number}: is no export; take the line out"
            ) from None
        found.append(value)
    return found


def _named(out: Path) -> str:
    full, here = out.resolve(), Path.cwd().resolve()
    return full.relative_to(here).as_posix() if full.is_relative_to(here) else str(full)


def staleness(line: dict[str, Any]) -> tuple[str, str]:
    """(fresh, stale, damaged or gone; why) of a registered export."""
    path = Path(line["out"]) / MANIFEST
    if not path.is_file():
        return "gone", f"{path} is not there"
    try:
        manifest = ExportManifest.read(path)
    except InputError as error:  # one export must not hide all else that is stale
        return "damaged", str(error)
    decision = Path(manifest.decision.path)
    if not decision.is_file():
        return "stale", f"{decision} is not there"
    record = read_any_decision(decision)
    if reason := changed(manifest, record):
        return "stale", reason
    lists = list_files(line.get("removed"))
    if lost := [file for file in lists if not Path(file).is_file()]:
        return "stale", f"the removal list {lost[0]} is not there"
    if manifest.removal_hash != entries_hash(entries_of(lists)):
        return "stale", "the removal lists name other documents now"
    return "fresh", f"arm {manifest.arm}, {manifest.totals.tokens:,} tokens"
