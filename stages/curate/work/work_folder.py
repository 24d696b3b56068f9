"""The folder of a run: what was planned, who works there, what is finished.

Question: may this run start here, and where does it go on? Input: the output folder and a plan. Output: a locked work
folder, empty or with the finished shards of the same plan. Another run's output is never overwritten unasked.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from stages.curate.work.manifest_file import Manifest
from stages.curation.reading import storage
from stages.curation.reading.storage import disk_errors
from stages.curation.reading.stores import remote_errors
from stages.foundation import artefacts
from stages.foundation.errors import InputError
from stages.foundation.files import write_json
from stages.foundation.processes.one_holder import one_holder
from stages.foundation.processes.user_folder import user_folder
from stages.foundation.sealed import readable

MANIFEST = "manifest.json"


def folder_of(out: str, work: Path | None) -> Path:
    """Beside the output, or below .assay in this folder when the output is a URL; below `work` if
    given. Ours alone: it is cleared.
    """
    if work is None and not storage.is_url(out):
        return (Path(out) / ".work").absolute()
    name = out if storage.is_url(out) else os.path.abspath(out)
    return (
        (work or Path(artefacts.WORK))
        / f"curate-{hashlib.blake2b(name.encode(), digest_size=8).hexdigest()}"
    ).absolute()


@contextmanager
def locked(folder: Path, out: str) -> Iterator[None]:
    """One run at a time in a work folder and, wherever its work lies, one into an output (a URL: of this
    user on this machine). InputError where another is at work.
    """
    with ExitStack() as held:
        for each in dict.fromkeys([_lock_of(out), folder]):
            held.enter_context(_one_run(each, out))
        yield


def _lock_of(out: str) -> Path:
    return folder_of(out, user_folder("outputs") if storage.is_url(out) else None)


@contextmanager
def _one_run(folder: Path, out: str) -> Iterator[None]:
    busy, cure = (
        f"{out}: another run is at work here",
        "wait for it or give another --out",
    )
    with ExitStack() as held:
        with disk_errors(folder):
            held.enter_context(one_holder(folder / "lock", busy, cure))
        try:
            yield
        finally:
            if not (folder / "plan.json").exists():  # nothing was begun
                clear(folder)
                if folder.name == ".work" or folder.parent.name == artefacts.WORK:
                    with suppress(OSError):  # not empty
                        folder.parent.rmdir()


def open_plan(folder: Path, plan: dict) -> bool:
    """Make the work folder ready; whether finished work of the same plan is there."""
    known = folder / "plan.json"
    if known.exists() and _plan(known)["hash"] == plan["hash"]:
        halves = [*folder.glob("*/.*.tmp"), *folder.glob(".*.tmp")]
        halves += (
            [] if storage.is_url(plan["out"]) else Path(plan["out"]).glob("*/.*.tmp")
        )
        for entry in halves:  # of a killed run
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        return True
    if known.exists():  # of a run that was never finished: its parts are not this run's
        _remove(plan["out"])
    for entry in folder.iterdir():
        if entry.name != "lock":
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    (folder / "units").mkdir()
    (folder / "copies").mkdir()
    write_json(known, plan)
    return False


def finished(out: str, result_hash: str) -> Manifest | None:
    """The manifest of a run that is done, if it is this one; another run's output is an InputError."""
    if is_result(out):
        manifest = _manifest(out)
        if manifest.get("result_hash") == result_hash:
            try:
                return Manifest.model_validate(manifest)
            except ValidationError as error:
                fault = error.errors()[0]
                raise InputError(
                    f"{storage.join(out, MANIFEST)} is damaged"
                    f" ({'.'.join(map(str, fault['loc']))}: {fault['msg']}); give"
                    " --overwrite to replace this result"
                ) from None
        raise InputError(
            f"{out}: holds the result of other input or settings; give another --out,"
            " or --overwrite to replace it"
        )
    return None


def earlier(out: str, folder: Path) -> Iterator[dict]:
    """The manifest and the plan of earlier runs here, as far as there are any."""
    unknown: dict[str, object] = {"segments": [], "result_hash": None}
    if is_result(out):
        yield unknown | _manifest(out)
    if (folder / "plan.json").exists():
        yield unknown | _plan(folder / "plan.json")


def _plan(path: Path) -> dict:
    """The plan of unfinished work. Raises InputError where it is damaged."""
    cure = f"delete {path.parent} and run again, the work starts anew"
    plan = readable(path, cure)
    if not isinstance(plan, dict) or "hash" not in plan:
        raise InputError(f"{path} is damaged (it is no plan); {cure}")
    return plan


def _manifest(out: str) -> dict:
    return json.loads(storage.read_text(storage.join(out, MANIFEST)))


def refuse_inside(out: str, inputs: Sequence[str], option: str = "--out") -> None:
    """What lies inside an input folder, also behind links, would be read by the next run."""
    if storage.is_url(out):
        return
    place = Path(os.path.realpath(out))
    for item in (item for item in inputs if not storage.is_url(item)):
        folder = Path(os.path.realpath(storage.local_path(item)))
        if folder.is_dir() and folder in [place, *place.parents]:
            raise InputError(
                f"{out}: lies inside the input folder {item}; give an {option}"
                " beside it"
            )


def refuse_read(out: str, files: Sequence[Path | str]) -> None:
    """Files that are read and lie in the output would be lost when it is replaced."""
    if storage.is_url(out):
        inside = [
            file
            for file in files
            if storage.is_url(file) and str(file).startswith(out.rstrip("/") + "/")
        ]
    else:
        place = Path(os.path.realpath(out))
        inside = [
            file
            for file in files
            if not storage.is_url(file)
            and Path(os.path.realpath(file)).is_relative_to(place)
        ]
    if inside:
        raise InputError(
            f"{out}: holds {inside[0]}, which is read; give an --out that holds no"
            " input"
        )


def is_result(out: str) -> bool:
    """Whether a finished run wrote this; another program's manifest.json is none."""
    path = storage.join(out, MANIFEST)
    try:
        return storage.exists(path) and "result_hash" in json.loads(
            storage.read_text(path)
        )
    except InputError:  # it cannot be read: whose it is is not known
        raise
    except (ValueError, TypeError):
        return False


def hash_of(out: str) -> str | None:
    """The hash of the result there, if there is one."""
    if not is_result(out):
        return None
    return _manifest(out).get("result_hash")


def check_free(out: str, folder: Path) -> None:
    """A folder with files that are not ours is not written into."""
    if (
        storage.is_url(out)
        or not os.path.isdir(out)
        or (folder / "plan.json").exists()
        or is_result(out)
    ):
        return
    if names := sorted(set(os.listdir(out)) - {".work"}):
        raise InputError(
            f"{out}: holds {names[0]!r} and is no result of assay curate; give a folder"
            " that is empty or not there"
        )


def remove_result(out: str, folder: Path) -> None:
    """Delete what a run wrote, the manifest first; nothing where no run wrote."""
    if is_result(out) or (folder / "plan.json").exists():
        _remove(out)


def _remove(out: str) -> None:
    if storage.is_url(out):
        files, inner = storage.file_system(out)
        for name in (MANIFEST, "kept", "dropped", "report.md", "quarantine.jsonl"):
            path = f"{inner.rstrip('/')}/{name}"
            with remote_errors(out):
                if files.exists(path):
                    files.rm(path, recursive=True)
        return
    for name in (MANIFEST, "kept", "dropped", "report.md", "quarantine.jsonl"):
        local = Path(out) / name
        shutil.rmtree(local) if local.is_dir() else local.unlink(missing_ok=True)


def clear(folder: Path) -> None:
    """Remove the work of a finished run."""
    shutil.rmtree(folder, ignore_errors=True)
