"""dvc.lock as it is read: what stages were made from, and the hashes of what they made."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.foundation.errors import InputError
from stages.foundation.files import content_hash
from stages.foundation.yaml_file import read_written_yaml

LOCK = Path("dvc.lock")
CODE = ("stages/", "flows/")


def locked_stages(lock: Path) -> dict[str, dict]:
    """The stages of a dvc.lock. Raises InputError with the cure where the file is damaged."""
    cure = (
        f"take it from git (git checkout {lock}), or delete it: stages then run again"
    )
    try:
        tree = read_written_yaml(lock)
    except InputError as error:
        raise InputError(f"{error}; {cure}") from None
    known = isinstance(tree, dict) and tree.keys() & {"stages", "schema"}
    stages = tree.get("stages", {}) if known else None
    if not isinstance(stages, dict) or not all(
        isinstance(entry, dict) for entry in stages.values()
    ):
        raise InputError(f"{lock}: holds no stages; {cure}")
    return stages


def dvc_hashes(lock: Path, made_from: Sequence[str]) -> dict[str, dict[str, str]]:
    """Stage -> {path: hash} of every stage that `made_from` comes of; empty where DVC has not run.

    lock: dvc.lock, in which every stage names what it read and made. Stages in the order of the file.
    """
    if not lock.is_file():
        return {}
    stages = locked_stages(lock)
    upstream = upstream_stages(stages, made_from)
    return {
        name: {out["path"]: out["md5"] for out in entry.get("outs", [])}
        for name, entry in stages.items()
        if name in upstream
    }


@dataclass(frozen=True)
class Locked:
    """What stages were made from, by dvc.lock: section -> values, path that no stage made -> hash, stage -> hash of
    its code.
    """

    params: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)


def locked(lock: Path, paths: Sequence[str]) -> Locked:
    """What the stages that made `paths`, and those before them, were made from; nothing where DVC has not run."""
    if not lock.is_file():
        return Locked()
    stages = locked_stages(lock)
    found = Locked()
    upstream = upstream_stages(stages, paths)
    for name, entry in stages.items():
        if name not in upstream:
            continue
        for sections in entry.get("params", {}).values():
            found.params.update(sections)
        code = {}
        for dep in entry.get("deps", []):
            path = dep["path"]
            if path.startswith(CODE) and path.endswith(".py"):
                code[path] = dep["md5"]
            elif not any(_made(other, path) for other in stages.values()):
                found.sources[path] = dep["md5"]
        found.code[name] = content_hash(code)
    return found


def upstream_stages(stages: dict[str, dict], paths: Sequence[str]) -> set[str]:
    """Names of the stages of a dvc.lock that made `paths`, and of those that made what these read."""
    found: set[str] = set()
    wanted = list(paths)
    while wanted:
        path = wanted.pop()
        for name, entry in stages.items():
            if name not in found and _made(entry, path):
                found.add(name)
                wanted += [dep["path"] for dep in entry.get("deps", [])]
    return found


def _made(entry: dict, path: str) -> bool:
    """Whether a stage made the path, the folder that holds it, or a file within it."""
    return any(_overlap(out["path"], path) for out in entry.get("outs", []))


def _overlap(one: str, other: str) -> bool:
    one, other = f"{one.rstrip('/')}/", f"{other.rstrip('/')}/"
    return one.startswith(other) or other.startswith(one)
