"""Which files a person means who names files, folders, globs or URLs.

Question: what is to be read, and in which order? Input: paths or URLs. Output: files with the names that go into
`source`, and what lies in a folder and is not read. What is named is read or refused: a path that exists is itself
and never a pattern, and each input must hold a file that can be read. Cost: one listing.
"""

import glob
import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.curation.reading import storage
from stages.foundation.errors import InputError
from stages.foundation.one_line import printable

log = logging.getLogger("assay")
COMPRESSIONS = (".gz", ".zst")
KINDS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".warc": "warc",
    ".wet": "warc",
    ".txt": "text",
    ".text": "text",
    ".md": "text",
    ".rst": "text",
}
READABLE = (
    f"readable are {' '.join(sorted(KINDS))}, the text kinds also with .gz or .zst"
)
UNFINISHED = "_temporary"  # where Spark and Hadoop keep what is still being written


@dataclass(frozen=True)
class InputFile:
    """One file to read: where it is, the name that goes into `source`, its kind and its compression."""

    path: Path | str  # a str is a URL
    name: str
    kind: str  # parquet, jsonl, warc or text
    compression: str  # "", ".gz" or ".zst"


def classify(path: Path) -> tuple[str, str] | None:
    """(kind, compression) by suffix, or None for a file that is not ours to read."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    compression = suffixes.pop() if suffixes and suffixes[-1] in COMPRESSIONS else ""
    kind = KINDS.get(suffixes[-1]) if suffixes else None
    if kind is None or (kind == "parquet" and compression):
        return None
    return kind, compression


def find_files(
    inputs: Sequence[str | os.PathLike] | str | os.PathLike,
) -> tuple[list[InputFile], list[Path]]:
    """Files meant by `inputs`, sorted by name, and what lies in their folders and is not read (logged with its count).

    A name is the path below the folder or glob that found it; when two inputs hold the same name, all names become
    paths below the folder common to all, so a `source` stays unique.
    """
    inputs = [inputs] if isinstance(inputs, str | os.PathLike) else list(inputs)
    names: dict[Path | str, str] = {}
    ignored: set[Path] = set()
    for item in [str(os.fspath(each)) for each in inputs]:
        found = dict(_expand(item))
        readable = {path: name for path, name in found.items() if _is_read(path)}
        left_out = sorted(Path(path) for path in found.keys() - readable.keys())
        if not readable:
            raise InputError(_nothing_found(item, left_out))
        if left_out:
            log.warning("%s", _left_out(item, left_out))
        ignored.update(left_out)
        names = readable | names
    if not names:
        raise InputError(f"(no inputs): no file to read; {READABLE}")
    if len(set(names.values())) < len(names):
        names = _told_apart(names)
    files = [
        InputFile(path, printable(names[path]), *read_as)
        for path in names
        if (read_as := classify(Path(path))) is not None
    ]
    return sorted(files, key=lambda file: file.name), sorted(ignored)


def _is_read(path: Path | str) -> bool:
    return classify(Path(path)) is not None and (
        isinstance(path, str) or os.path.isfile(path)
    )


def _told_apart(names: dict[Path | str, str]) -> dict[Path | str, str]:
    """Names below the folder common to all; whole addresses where some are URLs and some are not."""
    try:
        common = os.path.commonpath([os.path.dirname(path) for path in names])
    except ValueError:
        common = ""
    return {path: str(path)[len(common) :].lstrip("/") for path in names}


def _expand(item: str) -> Iterator[tuple[Path | str, str]]:
    if not item.strip() or "\0" in item:
        raise InputError(f"{item!r} names no file; {_GIVE}")
    if storage.is_url(item):
        yield from storage.list_url(item)
        return
    item = storage.local_path(item)
    yield from (
        (path, path.relative_to(root).as_posix()) for path, root in _expand_local(item)
    )


_GIVE = "give a file, a folder or a quoted glob such as 'raw/**/*.jsonl.zst'"


def _expand_local(item: str) -> Iterator[tuple[Path, Path]]:
    path = Path(os.path.abspath(item))
    if os.path.isdir(path):
        yield from ((file, path) for file in _walk(path))
    elif os.path.lexists(path):
        yield path, path.parent
    elif glob.has_magic(item):
        root = _plain_prefix(item)
        for match in sorted(glob.glob(item, recursive=True)):
            found = Path(os.path.abspath(match))
            yield from (
                (file, root) for file in (_walk(found) if found.is_dir() else [found])
            )
    else:
        raise InputError(f"{item}: no such file or folder; {_GIVE}")


def _walk(folder: Path) -> list[Path]:
    """Files below a folder, links followed and each real folder once; dangling links too, hidden and unfinished not."""
    found: list[Path] = []
    seen: set[str] = set()
    for here, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:  # a link to a folder above, or a second link to one
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and name != UNFINISHED
        )
        found += [Path(here, name) for name in files if not name.startswith(".")]
    return sorted(found)


def _refuse(error: OSError) -> None:
    raise storage.unreadable(error.filename, error)


def _plain_prefix(item: str) -> Path:
    """The folder above the first wildcard."""
    parts = Path(item).parts
    wild = next(at for at, part in enumerate(parts) if glob.has_magic(part))
    return Path(os.path.abspath(Path(*parts[:wild])))


def _left_out(item: str, left_out: list[Path]) -> str:
    """How many files of a folder are not read, by suffix."""
    kinds = Counter(path.suffix or "without a suffix" for path in left_out)
    shown = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(5))
    dangling = [path for path in left_out if not path.exists() and path.is_symlink()]
    said = f"{item}: {len(left_out)} files are not read ({shown}), the first is"
    said += f" {left_out[0]}; {READABLE}"
    return said + "".join(f"; {path} is a link to nothing" for path in dangling[:3])


def _nothing_found(item: str, left_out: list[Path]) -> str:
    if not left_out:
        return f"{item}: no file to read; {READABLE}"
    first = left_out[0]
    if first.is_symlink() and not first.exists():
        return f"{first}: is a link to {os.readlink(first)}, which is not there"
    more = f" and {len(left_out) - 1} more" if len(left_out) > 1 else ""
    return f"{item}: no file to read; saw only {first.name}{more}; {READABLE}"
