"""From a file to lines of bytes, plain, gzip or zstandard.

Question: what does it hold, and where exactly does it break? Input: a file, or a span of one.
Output: chunks of bytes, or (line number, byte offset, line) triples. Cost: one pass, memory of one
line plus 256 kB; plain 1700, zstandard 500 and gzip 250 MB of text a CPU-second (measured).
"""

import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import zstandard

from stages.curation.reading import storage
from stages.curation.reading.named_files import InputFile
from stages.foundation.errors import InputError

READ_BYTES = 1 << 18
PIECE_BYTES = 1 << 22  # that come out of a decompressor at once
ZSTD_STEP = 1 << 8  # that go in, of which 8 MB can come out (measured)
MOST_EXPANSION, FREE_BYTES = 250, 200_000_000  # assumed; see Expansion
# how files begin that are often named for something else
MAGIC = {
    ".gz": b"\x1f\x8b",
    ".zst": b"\x28\xb5\x2f\xfd",
    ".bz2": b"BZh",
    ".xz": b"\xfd7zXZ\0",
    ".zip": b"PK\x03\x04",
    ".parquet": b"PAR1",
}
SKIPPABLE = (
    b"\x2a\x4d\x18"  # from its second byte on, a frame of zstandard without content
)
WINDOW_BYTES = 1 << 27  # of zstandard; what `zstd -d` takes without --long


@dataclass(frozen=True)
class Span:
    """A part of a file: bytes of plain JSON lines (from the start of a line), or row groups of parquet."""

    start: int
    end: int
    rows_before: int  # lines or rows of the file before it


class CutOff(InputError):
    """A compressed stream that ends early or is damaged; what was read of its last line is in `rest`."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.line, self.offset, self.rest = 0, 0, b""


class Expansion:
    """Refuses a file that grows out of all proportion when it is read: a bomb, or damaged beyond use.

    Text shrinks to a fifth, the most repetitive logs to a hundredth; gzip can reach 1,032, zstandard and the
    dictionaries of parquet any number.
    """

    def __init__(self, file: InputFile, stored: int) -> None:
        self.file, self.stored, self.read = file, stored, 0

    def add(self, n_bytes: int) -> None:
        """Count bytes that came out; CutOff beyond the limit."""
        self.expect(n_bytes)
        self.read += n_bytes

    def expect(self, n_bytes: int) -> None:
        """CutOff where bytes that are about to come out go beyond the limit."""
        if self.read + n_bytes > max(FREE_BYTES, MOST_EXPANSION * self.stored):
            raise CutOff(
                f"{self.file.path}: {self.stored} bytes hold more than"
                f" {(self.read + n_bytes) // 10**6} MB, over {MOST_EXPANSION} times their size; if"
                " that is meant, decompress or rewrite the file first"
            )


class LongLine(bytes):
    """The first bytes of a line that is longer than the limit; `n_bytes` is its full length."""

    n_bytes = 0


def byte_chunks(
    file: InputFile, span: Span | None = None
) -> Generator[bytes, None, None]:
    """The file's content, decompressed, in chunks; a cut or damaged stream is an InputError, never a short read."""
    with storage.reading(file.path) as handle:
        if file.compression:
            yield from _decompressed(file, handle)
            return
        left = -1 if span is None else span.end - span.start
        handle.seek(0 if span is None else span.start)
        while chunk := handle.read(READ_BYTES if left < 0 else min(READ_BYTES, left)):
            left -= len(chunk) if left > 0 else 0
            yield chunk


def _decompressed(file: InputFile, handle) -> Iterator[bytes]:
    stream, consumed = None, 0
    expansion = Expansion(file, storage.size_of(file.path))
    while data := handle.read(READ_BYTES):
        consumed += len(data)
        while data:
            stream = stream or _new_stream(file.compression)
            try:
                for chunk in stream.pieces(data):
                    expansion.add(len(chunk))
                    yield chunk
            except (zlib.error, zstandard.ZstdError) as error:
                first = consumed == len(data) and expansion.read == 0
                if first and (other := _other_form(file, data)):
                    raise CutOff(other) from None
                raise CutOff(_damage(file, consumed, str(error))) from None
            data = b""
            if stream.eof:  # the next member or frame; zero bytes are padding
                data, stream = stream.unused_data.lstrip(b"\0"), None
    if stream is not None:
        raise CutOff(
            f"{file.path}: {file.compression[1:]} stream cut off at byte {consumed},"
            " its end is missing; fetch the file again"
        )


def _other_form(file: InputFile, data: bytes) -> str:
    """What is wrong where the first bytes are no such stream; empty where they are one."""
    suffix = file.compression
    if data.startswith(MAGIC[suffix]) or data[1:4] == SKIPPABLE:
        return ""
    form = form_of(data)
    held = f"{form} data" if form else f"{data[:20]!r}"
    return (
        f"{file.path}: no {suffix[1:]} data, it begins with {held}; name the file for"
        " what it holds"
    )


def form_of(data: bytes) -> str:
    """The suffix of the compression or format that the first bytes stand for, or nothing.

    >>> form_of(b"PAR1")
    '.parquet'
    """
    forms = (suffix for suffix, magic in MAGIC.items() if data.startswith(magic))
    return next(forms, "")


def _damage(file: InputFile, consumed: int, error: str) -> str:
    """What is wrong with a compressed file, and the cure."""
    again = f"zstd -dc {file.path} | zstd"
    if "too much memory" in error:
        again = again.replace("-dc", "--long=31 -dc")
        return (
            f"{file.path}: its zstandard window is above {WINDOW_BYTES >> 20} MB;"
            f" compress it again: {again} > NEW.zst"
        )
    if "ictionary" in error:
        again = again.replace("-dc", "-D DICTIONARY -dc")
        return (
            f"{file.path}: needs the zstandard dictionary it was compressed with;"
            f" compress it without: {again} > NEW.zst"
        )
    kind = file.compression[1:]
    return (
        f"{file.path}: damaged {kind} data before byte {consumed} ({error}); fetch the"
        " file again"
    )


class _Gzip:
    """One member of a gzip file, in pieces of bounded size whatever the data expand to."""

    def __init__(self) -> None:
        self.stream = zlib.decompressobj(wbits=31)

    def pieces(self, data: bytes) -> Iterator[bytes]:
        while data:
            if chunk := self.stream.decompress(data, PIECE_BYTES):
                yield chunk
            data = self.stream.unconsumed_tail

    @property
    def eof(self) -> bool:
        return self.stream.eof

    @property
    def unused_data(self) -> bytes:
        return self.stream.unused_data


class _Zstandard:
    """The same of a zstandard frame."""

    def __init__(self) -> None:
        decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES)
        self.stream = decompressor.decompressobj()
        self.unused_data = b""

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """A little at a time, since a block of 128 kB can stand in four bytes."""
        for at in range(0, len(data), ZSTD_STEP):
            if chunk := self.stream.decompress(data[at : at + ZSTD_STEP]):
                yield chunk
            if self.stream.eof:
                self.unused_data = self.stream.unused_data + data[at + ZSTD_STEP :]
                return

    @property
    def eof(self) -> bool:
        return self.stream.eof


def _new_stream(compression: str) -> _Gzip | _Zstandard:
    return _Gzip() if compression == ".gz" else _Zstandard()


def byte_lines(
    file: InputFile, span: Span | None = None, max_bytes: int | None = None
) -> Iterator[tuple[int, int, bytes]]:
    """(line number from 1, byte offset in the decompressed file, line without its newline).

    Of a line above `max_bytes` only the start is held, as a LongLine.
    """
    number, offset = (0, 0) if span is None else (span.rows_before, span.start)
    pending = _Pending(max_bytes)
    try:
        for chunk in byte_chunks(file, span):
            *complete, tail = chunk.split(b"\n")
            for line in complete:
                line, size = pending.finished(line)
                number += 1
                yield number, offset, line
                offset += size + 1
            pending.add(tail)
    except CutOff as error:
        error.line, error.offset, error.rest = (
            number + 1,
            offset,
            pending.finished(b"")[0],
        )
        raise
    last, size = pending.finished(b"")
    if size:
        yield number + 1, offset, last


class _Pending:
    """The parts of a line whose newline has not come yet."""

    def __init__(self, max_bytes: int | None) -> None:
        self.max_bytes, self.size = max_bytes, 0
        self.parts: list[bytes] = []

    def add(self, part: bytes) -> None:
        self.size += len(part)
        if self.max_bytes is None or self.size <= self.max_bytes:
            self.parts.append(part)
        else:
            self.parts = [b"".join([*self.parts, part[:1000]])[:1000]]

    def finished(self, part: bytes) -> tuple[bytes, int]:
        """(the line, its length); ready for the next."""
        if not self.size and (self.max_bytes is None or len(part) <= self.max_bytes):
            return part, len(part)
        self.add(part)
        line, size = b"".join(self.parts), self.size
        if self.max_bytes is not None and size > self.max_bytes:
            line = LongLine(line[:1000])
            line.n_bytes = size
        self.parts, self.size = [], 0
        return line, size


def decoded(line: bytes, where: str, offset: int) -> str:
    """UTF-8 text, or an InputError with the byte offset in the (decompressed) file and the cure."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        at = offset + error.start
        if offset == 0 and (form := form_of(line)):
            raise InputError(
                f"{where}: holds {form} data; name the file for what it holds"
            ) from None
        utf16 = offset == 0 and line[:2] in (b"\xff\xfe", b"\xfe\xff")
        encoding = "UTF-16" if utf16 else "ITS-ENCODING"
        raise InputError(
            f"{where}: not UTF-8 at byte {at} (value 0x{line[error.start]:02x});"
            f" convert it with: iconv -f {encoding} -t UTF-8"
        ) from None
