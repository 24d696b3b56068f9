"""May an export start in this folder, and where does it go on? Another program's files are never touched.

The work folder lies inside, as `.work`, until the manifest is written. A plan stands in it with the hash of all that
decides the bytes; what was begun under another plan starts anew.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from stages.curation.reading.storage import disk_errors
from stages.foundation.errors import InputError
from stages.foundation.files import write_json
from stages.foundation.sealed import readable
from stages.handing_over.answer import changed
from stages.handing_over.record import ExportManifest
from stages.searched.record import Decision

MANIFEST, PLAN, WORK = "manifest.json", "plan.json", ".work"
SPARE_BYTES = 100_000_000  # for manifests and file systems' own use (assumed)


def check_free(out: Path) -> None:
    """Raises InputError where the folder holds files that no export wrote, or is none."""
    there = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not there.is_dir():
        raise InputError(f"{there}: is a file; give a folder")
    if not out.is_dir() or (out / WORK / PLAN).is_file() or is_export(out):
        return
    if names := sorted(set(os.listdir(out)) - {WORK}):
        raise InputError(
            f"{out}: holds {names[0]!r} and is no export; give a folder that is empty or"
            " not there"
        )


def is_export(out: Path) -> bool:
    """Whether an export ended here; another program's manifest.json is none."""
    path = out / MANIFEST
    if not path.is_file():
        return False
    try:
        value = readable(path, "")
    except InputError:
        return False
    return isinstance(value, dict) and "plan_hash" in value


def finished(out: Path, plan_hash: str, record: Decision) -> ExportManifest | None:
    """The manifest where this very export is done. Raises InputError where another one is, or files are gone."""
    if not is_export(out):
        return None
    manifest = ExportManifest.read(out / MANIFEST)
    if manifest.plan_hash != plan_hash:
        same = manifest.question == record.question.name
        if same and (why := changed(manifest, record)):
            raise InputError(
                f"{out}: holds an export that is stale: {why}; give --overwrite to"
                " replace it, or another --out"
            )
        raise InputError(
            f"{out}: holds an export of other data, another decision or other settings;"
            " give another --out, or --overwrite to replace it"
        )
    for entry in manifest.files:
        path = out / entry.file
        if not path.is_file() or path.stat().st_size != entry.bytes:
            raise InputError(
                f"{path}: is not as it was exported; give --overwrite to write it again"
            )
    return manifest


def open_plan(out: Path, plan: dict) -> bool:
    """Make the work folder ready for a plan (`hash`, `files`); whether work of the same plan is there."""
    work = out / WORK
    known = work / PLAN
    if known.is_file():
        old = readable(known, f"delete {out} and export again")
        if old["hash"] == plan["hash"]:
            return True
        _remove(out, old["files"])
    with disk_errors(out):
        for entry in list(work.iterdir()) if work.is_dir() else []:
            if entry.name != "lock":
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        work.mkdir(parents=True, exist_ok=True)
        write_json(known, plan)
    return False


def remove_export(out: Path) -> None:
    """Delete what exports wrote here, finished or not; the manifest first."""
    if is_export(out):
        files = readable(out / MANIFEST, "").get("files", [])
        _remove(out, [MANIFEST, *(entry["file"] for entry in files)])
    known = out / WORK / PLAN
    if known.is_file():
        _remove(out, readable(known, f"delete {out} yourself")["files"])
        known.unlink()


def _remove(out: Path, names: Iterable[str]) -> None:
    for name in names:
        if Path(name).name == name:  # an export's files lie in its folder itself
            (out / name).unlink(missing_ok=True)


def require_room(out: Path, n_bytes: int) -> None:
    """Raises InputError where the disk has no room for so many bytes more, what is there already counted."""
    there = out
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    present = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    if n_bytes + SPARE_BYTES > free + present:
        raise InputError(
            f"{out}: the export takes up to {n_bytes / 1e9:.1f} GB while it is written,"
            f" {free / 1e9:.1f} GB are free; make room or give another --out"
        )
