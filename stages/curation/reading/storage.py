"""Files wherever they are: on this machine, or at a URL that fsspec knows (s3://, memory://, file://).

Question: how does one program read and write both? Input: a path or URL. Output: an open file, its size, a listing; a
finished local file put in its place so that a reader never sees half of it. A URL needs the package of its protocol:
`pip install 'assay[s3]'` for s3, which reads AWS_ENDPOINT_URL and the usual AWS credentials.
Cost: a local file is opened directly; a remote one is read in blocks of 5 MB.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xxhash

from stages.curation.reading.stores import in_time, remote_errors
from stages.foundation.errors import InputError
from stages.foundation.files import room_for, whole_file
from stages.foundation.processes.deadlines import service_seconds, within

# object stores, where a missing "folder" would be a bucket that nobody asked for
WITHOUT_FOLDERS = ("s3", "s3a", "gs", "gcs", "az", "abfs")
SLOWEST_BYTES_PER_SECOND = 1e5  # assumed: an upload below this is of no use
SAMPLE_BYTES, BLOCK_BYTES = 1 << 24, 1 << 18  # .02 s a large file (measured)


def is_url(item: str | os.PathLike) -> bool:
    """Whether fsspec is needed; file:// is a path of this machine."""
    return "://" in os.fspath(item) and not os.fspath(item).startswith("file://")


def local_path(item: str | os.PathLike) -> str:
    """The path without file://."""
    path = os.fspath(item).removeprefix("file://")
    return path.removeprefix("localhost") if path != os.fspath(item) else path


def file_system(url: str) -> Any:
    """(filesystem, path in it) of a URL; a missing package or protocol is an InputError with the cure."""
    import fsspec  # takes 0.1 s, and only URLs need it

    try:
        return fsspec.core.url_to_fs(url, **in_time(url.partition("://")[0]))
    except ImportError as error:
        raise InputError(
            f"{url}: {error}; for s3 run: pip install 'assay[s3]'"
        ) from None
    except ValueError as error:
        raise InputError(
            f"{url}: {error}; known are local paths, s3://, memory:// and what fsspec"
            " has a package for"
        ) from None


@contextmanager
def reading(path: Path | str) -> Iterator[Any]:
    """The open file (bytes); what keeps it from being opened is an InputError."""
    try:
        with remote_errors(path):
            handle = (
                file_system(path)[0].open(path, "rb")
                if isinstance(path, str) and is_url(path)
                else open(path, "rb")
            )
    except OSError as error:
        raise unreadable(path, error) from None
    with handle, remote_errors(path):
        yield handle


def unreadable(path: Path | str, error: OSError) -> InputError:
    """The line for a file that cannot be opened or listed."""
    if isinstance(error, PermissionError):
        return InputError(
            f"{path}: no permission to read; give it (chmod, or the bucket's policy) or"
            " leave the file out"
        )
    if isinstance(error, FileNotFoundError):
        return InputError(
            f"{path}: no such file or folder; give a file, a folder or a quoted glob"
            " such as 'raw/**/*.jsonl.zst'"
        )
    return InputError(
        f"{path}: cannot be read ({error.strerror or error}); try again or leave the"
        " file out"
    )


def size_of(path: Path | str) -> int:
    """Bytes of a file."""
    try:
        if not is_url(path):
            return os.stat(path).st_size
        with remote_errors(path):
            size = file_system(str(path))[0].size
            return int(within(service_seconds(), size, path))
    except OSError as error:
        raise unreadable(path, error) from None


def fingerprint(path: Path | str) -> str:
    """Changes when the file does: size, time of change and a sample of the content, or what the store says in their
    place. Up to `SAMPLE_BYTES` the sample is all of it, so that only a change inside a larger file that keeps size and
    time can be missed.
    """
    try:
        if not is_url(path):
            stat = os.stat(path)
            return f"{stat.st_size}-{stat.st_mtime_ns}-{_sample(path, stat.st_size)}"
        files, inner = file_system(str(path))
        with remote_errors(path):
            info = within(service_seconds(), files.info, inner)
    except OSError as error:
        raise unreadable(path, error) from None
    return "-".join(
        str(info.get(key))
        for key in ("size", "ETag", "mtime", "LastModified", "created")
        if info.get(key) is not None
    )


def stamp(path: Path | str) -> str:
    """Changes when a file is written, cut or replaced while somebody reads it; costs no read of a local one."""
    if is_url(path):
        return fingerprint(path)
    try:
        stat = os.stat(path)
    except OSError as error:
        raise unreadable(path, error) from None
    return f"{stat.st_size}-{stat.st_mtime_ns}-{stat.st_ino}"


def refuse_changed(path: Path | str, before: str) -> None:
    """InputError where a file has no longer the stamp it had before it was read."""
    if stamp(path) != before:
        raise InputError(
            f"{path}: changed while it was read; wait until nothing writes it any more"
            " and run again"
        )


def _sample(path: Path | str, size: int) -> str:
    """A hash of the content, or of blocks of it from the first to the last."""
    digest = xxhash.xxh3_64()
    with reading(path) as handle:
        if size <= SAMPLE_BYTES:
            while piece := handle.read(1 << 20):
                digest.update(piece)
            return digest.hexdigest()
        n_blocks = SAMPLE_BYTES // BLOCK_BYTES
        for at in range(n_blocks):
            handle.seek((size - BLOCK_BYTES) * at // (n_blocks - 1))
            digest.update(handle.read(BLOCK_BYTES))
    return digest.hexdigest()


def list_url(item: str) -> list[tuple[str, str]]:
    """(URL, name below the folder or glob) of each file that a URL means, sorted; hidden ones left out."""
    files, inner = file_system(item)
    try:
        with remote_errors(item):
            root, found = _found(files, inner)
    except OSError as error:
        raise unreadable(item, error) from None
    names = [(path, path.removeprefix(root)) for path in sorted(found)]
    return [
        (files.unstrip_protocol(path), name)
        for path, name in names
        if not any(part.startswith(".") for part in name.split("/"))
    ]


def _found(files, inner: str) -> tuple[str, list[str]]:
    """(the folder above the first wildcard or name, the files)."""
    if files.isdir(inner):
        return inner.rstrip("/") + "/", files.find(inner)
    if files.exists(inner):  # what exists is itself, also with a bracket in its name
        return inner[: inner.rfind("/") + 1], [inner]
    if wild := [inner.find(char) for char in "*?[" if char in inner]:
        return inner[: inner.rfind("/", 0, min(wild)) + 1], files.glob(inner)
    raise FileNotFoundError(inner)


def join(folder: str, *names: str) -> str:
    """A path or URL below a folder or URL."""
    return (
        "/".join([folder.rstrip("/"), *names])
        if is_url(folder)
        else os.path.join(folder, *names)
    )


def publish(local: Path, target: str) -> None:
    """Put a finished local file in its place, whole: a rename, or one upload."""
    with disk_errors(target), remote_errors(target):
        if is_url(target):
            files, inner = file_system(target)
            if target.partition("://")[0] not in WITHOUT_FOLDERS:
                files.makedirs(inner.rpartition("/")[0], exist_ok=True)
            # s3fs waits without end for leave to send
            most = service_seconds() + local.stat().st_size / SLOWEST_BYTES_PER_SECOND
            within(most, files.put_file, str(local), inner)
            local.unlink()
            return
        os.makedirs(os.path.dirname(target), exist_ok=True)
        try:
            os.replace(local, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            with whole_file(target) as temporary:  # from another disk
                shutil.copyfile(local, temporary)
            local.unlink()


def exists(path: str) -> bool:
    """Whether there is a file or folder."""
    if not is_url(path):
        return os.path.exists(path)
    files, inner = file_system(path)
    with remote_errors(path):
        return bool(within(service_seconds(), files.exists, inner))


def read_text(path: str) -> str:
    with reading(path) as handle:
        return handle.read().decode()


@contextmanager
def disk_errors(path: Path | str) -> Iterator[None]:
    """A full disk or a missing permission while writing is one line for a person, not a defect of ours."""
    try:
        with room_for(path):
            yield
    except PermissionError:
        raise InputError(
            f"{path}: no permission to write; choose another --out or give it"
        ) from None
    except FileNotFoundError:
        if not is_url(path):
            raise
        raise InputError(
            f"{path}: no such bucket; make it or choose another --out"
        ) from None
