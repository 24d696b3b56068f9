"""From inputs that a person names (files, folders, globs) to lines of bytes, plain, gzip or zstandard.

Question: which files are meant, in which order, and where exactly does one of them break?
Input: paths. Output: (path, name) pairs and (line number, byte offset, line) triples. Cost: one pass, memory of
one line plus 256 kB; plain 1700, zstandard 500 and gzip 250 MB of text a CPU-second (measured).
"""

import glob
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import zstandard

from stages.errors import InputError

READ_BYTES = 1 << 18
COMPRESSIONS = (".gz", ".zst")
KINDS = {
    ".parquet": "parquet", ".pq": "parquet",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
    ".txt": "text", ".text": "text", ".md": "text", ".rst": "text",
}  # fmt: skip


@dataclass(frozen=True)
class InputFile:
    """One file to read: where it is, the name that goes into `source`, its kind and its compression."""

    path: Path
    name: str
    kind: str  # parquet, jsonl or text
    compression: str  # "", ".gz" or ".zst"


def classify(path: Path) -> tuple[str, str] | None:
    """(kind, compression) by suffix, or None for a file that is not ours to read."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    compression = suffixes.pop() if suffixes and suffixes[-1] in COMPRESSIONS else ""
    kind = KINDS.get(suffixes[-1]) if suffixes else None
    if kind is None or (kind == "parquet" and compression):
        return None
    return kind, compression


def find_files(inputs: Sequence[str | os.PathLike] | str | os.PathLike) -> tuple[list[InputFile], list[Path]]:
    """Files meant by `inputs`, sorted by name, and the files in their folders that were left out by their suffix.

    A name is the path below the folder or glob that found it; when two inputs hold the same name, all names become
    paths below the folder common to all, so a `source` stays unique.
    """
    inputs = [inputs] if isinstance(inputs, str | os.PathLike) else list(inputs)
    found: dict[Path, Path] = {}  # file -> root
    for item in inputs:
        for path, root in _expand(os.fspath(item)):
            found.setdefault(path, root)
    kept = {path: root for path, root in found.items() if classify(path)}
    ignored = sorted(path for path in found if path not in kept)
    if not kept:
        raise InputError(_nothing_found(inputs, ignored))
    names = {path: path.relative_to(root).as_posix() for path, root in kept.items()}
    if len(set(names.values())) < len(names):
        common = os.path.commonpath([path.parent for path in names])
        names = {path: path.relative_to(common).as_posix() for path in names}
    files = [InputFile(path, names[path], *classify(path)) for path in kept]
    return sorted(files, key=lambda file: file.name), ignored


def _expand(item: str) -> Iterator[tuple[Path, Path]]:
    path = Path(os.path.abspath(item))
    if path.is_dir():
        yield from ((file, path) for file in _walk(path))
    elif path.is_file():
        yield path, path.parent
    elif glob.has_magic(item):
        root = _plain_prefix(path)
        for match in sorted(glob.glob(str(path), recursive=True)):
            match = Path(match)
            yield from ((file, root) for file in (_walk(match) if match.is_dir() else [match]))
    else:
        raise InputError(f"{item}: no such file or folder; give a file, a folder or a quoted glob such as 'raw/**/*.jsonl.zst'")


def _walk(folder: Path) -> list[Path]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def _plain_prefix(path: Path) -> Path:
    plain = [part for part in path.parts]
    for index, part in enumerate(plain):
        if glob.has_magic(part):
            return Path(*plain[:index])
    return path.parent


def _nothing_found(inputs: list, ignored: list[Path]) -> str:
    seen = f"; saw only {ignored[0].name}" + (f" and {len(ignored) - 1} more" if len(ignored) > 1 else "") if ignored else ""
    shown = ", ".join(os.fspath(item) for item in inputs) or "(no inputs)"
    return f"{shown}: no file to read{seen}; readable are {' '.join(sorted(KINDS))}, the text kinds also with .gz or .zst"


def byte_chunks(file: InputFile) -> Iterator[bytes]:
    """The file's content, decompressed, in chunks; a cut or damaged stream is an InputError, never a short read."""
    if not file.compression:
        with open(file.path, "rb") as handle:
            while chunk := handle.read(READ_BYTES):
                yield chunk
        return
    yield from _decompressed(file)


def _decompressed(file: InputFile) -> Iterator[bytes]:
    stream, consumed = None, 0
    with open(file.path, "rb") as handle:
        while data := handle.read(READ_BYTES):
            consumed += len(data)
            while data:
                stream = stream or _new_stream(file.compression)
                try:
                    chunk = stream.decompress(data)
                except (zlib.error, zstandard.ZstdError) as error:
                    what = f"damaged {file.compression[1:]} data before byte {consumed} ({error})"
                    raise InputError(f"{file.path}: {what}; fetch the file again") from None
                if chunk:
                    yield chunk
                data = b""
                if stream.eof:  # the next member or frame; zero bytes are padding
                    data, stream = stream.unused_data.lstrip(b"\0"), None
    if stream is not None:
        raise InputError(f"{file.path}: {file.compression[1:]} stream cut off at byte {consumed}, its end is missing; fetch the file again")


def _new_stream(compression: str):
    return zlib.decompressobj(wbits=31) if compression == ".gz" else zstandard.ZstdDecompressor().decompressobj()


def byte_lines(file: InputFile) -> Iterator[tuple[int, int, bytes]]:
    """(line number from 1, byte offset in the decompressed file, line without its newline)."""
    number, offset, rest = 0, 0, []
    for chunk in byte_chunks(file):
        *complete, tail = chunk.split(b"\n")
        if not complete:
            rest.append(tail)
            continue
        complete[0] = b"".join(rest) + complete[0]
        for line in complete:
            number += 1
            yield number, offset, line
            offset += len(line) + 1
        rest = [tail]
    last = b"".join(rest)
    if last:
        yield number + 1, offset, last


def decoded(line: bytes, where: str, offset: int) -> str:
    """UTF-8 text, or an InputError with the byte offset in the (decompressed) file and the cure."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        at = offset + error.start
        utf16 = offset == 0 and line[:2] in (b"\xff\xfe", b"\xfe\xff")
        encoding = "UTF-16" if utf16 else "ITS-ENCODING"
        raise InputError(
            f"{where}: not UTF-8 at byte {at} (value 0x{line[error.start]:02x}); convert it with: iconv -f {encoding} -t UTF-8"
        ) from None
