"""Question: does a decision record follow from what it names? Input: the record. Output: the record made anew from the
fit, the runs and the parameters that stand in it, the same byte for byte, or the very input that changed. Cost: that
of the decide stage, seconds.
"""

import tempfile
from importlib import metadata
from math import inf
from pathlib import Path
from typing import Any

from stages.decide import DecideParams, decide_any
from stages.decision.changes import changes_since
from stages.decision.provenance import git_commit
from stages.foundation import artefacts
from stages.foundation.errors import InputError, RefusedError
from stages.foundation.files import file_hash
from stages.foundation.sealed import AGAIN, read_sealed
from stages.searched.record import Decision, read_any_decision

ROUNDING = 1e-9  # assumed: sums in another order differ by less
# of the making, and so taken over from the record: time, commit, versions and what dvc.lock said
TAKEN_OVER = (
    "created",
    "git_commit",
    "versions",
    "dvc",
    "params",
    "sources",
    "code",
    "mlflow",
)


def remade(path: Path) -> tuple[Decision, bytes]:
    """The record made anew, and its bytes, which are those of the file.

    Raises InputError where the record does not say what it was made of, RefusedError where an input changed or the
    bytes differ, with the input, or the first field that differs and the versions that do.
    """
    record = read_any_decision(path)
    known = record.provenance
    if not known.inputs or "decide" not in known.params:
        raise InputError(
            f"{path}: does not name what it was made of, as records of older versions do"
            " not; `assay run` makes one that does"
        )
    if lost := changed_inputs(known.inputs):
        why = "; ".join(changes_since(known)[:3])
        raise RefusedError(
            f"{path}: cannot be made again: {', '.join(lost)}"
            + (f"; since then: {why}" if why else "")
        )
    name = record.question.name
    arms = read_sealed(artefacts.ARMS, AGAIN)
    made, _ = decide_any(name, arms, DecideParams(**known.params["decide"]))
    same = {field: getattr(known, field) for field in TAKEN_OVER}
    made = made.model_copy(
        update={"provenance": made.provenance.model_copy(update=same)}
    )
    content = written(made)
    if content != path.read_bytes():
        raise RefusedError(f"{path}: made again it differs: {difference(record, made)}")
    return made, content


def changed_inputs(inputs: dict[str, str]) -> list[str]:
    """What is not as it was of the files that a record names, each with what is wrong."""
    lost = []
    for path, digest in inputs.items():
        if not Path(path).is_file():
            lost.append(f"{path} is missing")
        elif file_hash(path) != digest:
            lost.append(f"{path} changed")
    return lost


def written(record: Decision) -> bytes:
    """The bytes of the record's file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "record.json"
        record.write(file)
        return file.read_bytes()


def _apart(old: Any, new: Any) -> float:
    """How far two values of a record lie apart, as a part of the larger; infinite where more than numbers differ."""
    if isinstance(old, dict) and isinstance(new, dict) and list(old) == list(new):
        old, new = list(old.values()), list(new.values())
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return max((_apart(*pair) for pair in zip(old, new, strict=True)), default=0.0)
    if old == new:
        return 0.0
    if isinstance(old, float) and isinstance(new, float):
        return abs(old - new) / max(abs(old), abs(new))
    return inf


def difference(old: Decision, new: Decision) -> str:
    """The first field that differs, and what else is installed or checked out now."""
    before, now = old.as_json(), new.as_json()
    fields = [name for name in before if before[name] != now[name]]
    parts = [f"first in {fields[0]}" if fields else "in its layout alone"]
    numbers = [name for name in fields if name != "content_hash"]
    apart = max((_apart(before[name], now[name]) for name in numbers), default=inf)
    if apart < ROUNDING:
        parts.append(
            f"and numbers alone, by {apart:.0e} of themselves at most, as another"
            " number of threads or processor rounds"
        )
    for name, version in old.provenance.versions.items():
        if (here := metadata.version(name)) != version:
            parts.append(f"{name} was {version} and is {here}")
    if (commit := git_commit()) != old.provenance.git_commit:
        parts.append(f"commit was {old.provenance.git_commit} and is {commit}")
    return ", ".join(parts)
