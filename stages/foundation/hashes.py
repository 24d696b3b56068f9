"""What a stage made, by size and hash: data/hashes/STAGE.json, written when the stage ends.

Before a stage reads, the files of its inputs are held to these: their sizes always, their hashes from the
smallest file on up to HASHED_BYTES in all (.3 s, measured); `assay status --verify` hashes everything. The files
of the runs folder carry their own hashes. DVC compares times and sizes where it may, and hashes what differs.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from stages.foundation import artefacts
from stages.foundation.errors import InputError
from stages.foundation.files import file_hash
from stages.foundation.sealed import AGAIN, read_sealed, write_sealed

HASHED_BYTES = 256 * 2**20  # assumed: what a person does not notice
Known = dict[str, dict[str, Any]]


def record(stage: str, products: Iterable[str]) -> None:
    """Write size and hash of every file that a stage made."""
    write_sealed(artefacts.hashes(stage), {"files": measured(products)})


def measured(products: Iterable[str]) -> Known:
    """Path -> bytes and hash of the files at or below these paths."""
    return {
        file.as_posix(): {"bytes": file.stat().st_size, "hash": file_hash(file)}
        for product in products
        for file in _files(product)
    }


def forget(stage: str) -> None:
    """What the stage made is about to change."""
    Path(artefacts.hashes(stage)).unlink(missing_ok=True)


def require_whole(paths: Iterable[str]) -> None:
    """Hold the files at or below these paths to what the stages that made them recorded.

    Raises InputError naming the first damaged one. Files of which nothing was recorded pass.
    """
    wanted = set(paths)
    recorded = {
        file: entry
        for stage in recorded_stages()
        for file, entry in known_files(stage).items()
        if wanted & {file, *map(str, Path(file).parents)}
    }
    for fault in faults(recorded, HASHED_BYTES):
        raise InputError(fault)


def faults(
    recorded: Known, hashed_bytes: float = float("inf"), cure: str = AGAIN
) -> Iterator[str]:
    """One line a file that is not as it was recorded; hashed from the smallest on, so many bytes in all."""
    left = hashed_bytes
    for name in sorted(recorded, key=lambda name: recorded[name]["bytes"]):
        file, entry = Path(name), recorded[name]
        if not file.is_file():
            yield _fault(name, cure, "is missing")
        elif (size := file.stat().st_size) != entry["bytes"]:
            yield _fault(name, cure, f"has {size} bytes, {entry['bytes']} were written")
        elif size <= left:
            left -= size
            if (found := file_hash(file)) != entry["hash"]:
                yield _fault(
                    name, cure, f"hashes to {found}, {entry['hash']} was written"
                )


def known_files(stage: str) -> Known:
    """Path -> bytes and hash of what a stage made; nothing where it was not recorded."""
    file = artefacts.hashes(stage)
    if not Path(file).is_file():
        return {}
    return listed(file, AGAIN)


def listed(file: str | Path, cure: str) -> Known:
    """What was measured, from a sealed file. Raises InputError in one line where it is damaged."""
    value = read_sealed(file, cure)
    found = value.get("files") if isinstance(value, dict) else None
    if not isinstance(found, dict) or not all(map(_is_entry, found.values())):
        raise InputError(f"{file} is damaged (it lists no files); {cure}")
    return found


def _is_entry(value: Any) -> bool:
    """Whether it is the size and hash of a file."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("bytes"), int)
        and isinstance(value.get("hash"), str)
    )


def recorded_stages() -> list[str]:
    """Stages whose products are recorded, by name."""
    return sorted(file.stem for file in Path(artefacts.HASHES).glob("*.json"))


def _fault(name: str, cure: str, what: str) -> str:
    return f"{name} is damaged ({what}); {cure}"


def _files(product: str) -> list[Path]:
    """The files at or below a path; what is set aside or hidden is nobody's."""
    path = Path(product)
    found = [path] if path.is_file() else sorted(path.rglob("*"))
    return [file for file in found if file.is_file() and file.name[0] != "."]
