"""Writing files so that a reader never sees half of one, and hashing what was written."""

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from stages.foundation.errors import InputError

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SYSTEM = (("dev",), ("proc",), ("sys",))
SHARED_MEMORY = ("dev", "shm")
OS_ERROR = re.compile(r"\(os error (\d+)\)")


@contextmanager
def room_for(path: Path | str) -> Iterator[None]:
    """Turns a disk that refuses more bytes while `path` is written into one line: InputError."""
    try:
        yield
    except Exception as error:
        number = error.errno if isinstance(error, OSError) else None
        if number is None and (said := OS_ERROR.search(str(error))):  # of polars
            number = int(said[1])
        if number not in DISK_FULL:
            raise
        raise InputError(
            f"{path} cannot be written: {os.strerror(number)}; make room and run"
            " again, finished work is kept"
        ) from None


@contextmanager
def whole_file(path: Path | str) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name when the block ends well."""
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give the name of a file")
    refuse_system(path)
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: is no regular file; give the name of one")
    _refuse_files_above(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with room_for(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            sync(temporary)
            os.replace(temporary, path)
            sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def refuse_no_folder(path: Path | str) -> None:
    """InputError where a folder of this name is neither there nor can be made."""
    if not str(path).strip():
        raise InputError(f"{str(path)!r} names no folder; give the name of one")
    path = Path(path)
    refuse_system(path)
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: is no folder; give the name of one")
    _refuse_files_above(path)


def _refuse_files_above(path: Path) -> None:
    if above := next(
        (up for up in path.parents if up.exists() and not up.is_dir()), None
    ):
        raise InputError(f"{path}: {above} is no folder; give another place")


def refuse_system(path: Path) -> None:
    """InputError where the path names a device, a process or a setting of the system, which a file would replace."""
    whole = path.absolute()
    if whole.parts[1:2] in SYSTEM and whole.parts[1:3] != SHARED_MEMORY:
        raise InputError(f"{path}: no file can be kept there; give another place")


def sync(path: Path) -> None:
    """Have a file's bytes, or a folder's names, on the disk: a name must not survive a power cut that its
    contents do not.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def refuse_others(path: Path | str, holds: Collection[str]) -> None:
    """InputError where `path` is anything but a folder of these names, which alone may be replaced."""
    path = Path(path)
    if not os.path.lexists(path):
        return
    names = (
        sorted(os.listdir(path)) if path.is_dir() and not path.is_symlink() else [""]
    )
    if others := [name for name in names if name not in holds]:
        what = f"holds {others[0]!r}" if others[0] else "is no folder"
        raise InputError(
            f"{path}: {what}, and a folder is replaced only where it holds nothing but"
            f" {', '.join(holds)}; give one that is empty or not there"
        )


@contextmanager
def whole_folder(
    path: Path | str, *, holds: Collection[str] | None = None
) -> Iterator[Path]:
    """A temporary folder beside `path` that replaces it when the block ends well.

    `holds`, of a folder that a person names: all that may be there for it to be replaced.
    """
    path = Path(path)
    if holds is not None:
        refuse_others(path, holds)
    refuse_system(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with room_for(path):
            temporary.mkdir(parents=True)
            yield temporary
            for each in temporary.rglob("*"):
                sync(each)
            sync(temporary)
            shutil.rmtree(path, ignore_errors=True)
            os.replace(temporary, path)
            sync(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_orphans(path: Path | str) -> None:
    """Remove what runs on this machine that were killed left of `path` half written; that of a run that is alive
    stays.
    """
    path = Path(path)
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        number = left.name.split(".")[-2]
        if not number.isdigit() or _alive(int(number)):
            continue
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            with suppress(OSError):
                left.unlink()


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True


def write_json(path: Path | str, value: Any) -> None:
    """Sorted nothing, rounded nothing: keys keep the order given, floats their shortest exact form."""
    with whole_file(path) as temporary:
        temporary.write_text(
            json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8"
        )


def read_json(path: Path | str) -> Any:
    return json.loads(Path(path).read_text("utf-8"))


def content_hash(value: Any) -> str:
    """16 hex characters of a JSON-able value, the same on every machine."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def file_hash(path: Path | str) -> str:
    """16 hex characters of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(
            file, lambda: hashlib.blake2b(digest_size=8)
        ).hexdigest()
