"""Text records of WARC files: the WET files of Common Crawl, and others with records of type
`conversion`.

Question: which pages does this crawl hold, as text? Input: a file, plain or compressed; headers are
its columns (`url` and `date` are short for WARC-Target-URI and WARC-Date). Output: batches of rows,
named by the number of the record or by the header that is mapped as id. HTML pages and
other records that may hold text are told by kind and number, and are not read: extracting text is
another tool's work. A record whose length is not what it says goes
to `on_bad`, and reading goes on at the next one. Cost: 200 MB a CPU-second, compressed 100
(measured); memory of one batch.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from stages.curation.reading.inputs import CutOff, byte_chunks, decoded
from stages.curation.reading.named_files import InputFile
from stages.curation.reading.rows import (
    BATCH_ROWS,
    MAX_ROW_BYTES,
    BadRow,
    Columns,
    OnBad,
    RawRows,
    missing_column,
    refuse,
)
from stages.foundation.errors import InputError
from stages.foundation.one_line import printable

HEADERS = {"url": "WARC-Target-URI", "date": "WARC-Date"}
# what a crawl says of itself and its requests: no documents
ABOUT = ("warcinfo", "request", "metadata", "revisit")
VERSION = b"WARC/"
# the end of a record and the first line of the next
NEXT = re.compile(rb"\r?\n\r?\n(?=WARC/\d\.\d+\r?\n)")
HEADER_BYTES = 1 << 20  # assumed: those of a crawl take 500


@dataclass
class Record:
    """A record: its headers by lower-case name, and its bytes; `fault` says what is wrong with it."""

    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""
    fault: str = ""

    @property
    def kind(self) -> str:
        return self.headers.get("warc-type", "").lower()


def warc_rows(
    file: InputFile,
    columns: Columns,
    batch_chars: int,
    *,
    on_bad: OnBad = refuse,
    max_row_bytes: int | None = None,
) -> Iterator[RawRows]:
    """Batches of about `batch_chars` characters; a record that is damaged or not UTF-8 goes to `on_bad`."""
    rows, size, number = _empty(columns), 0, 0
    left: Counter[str] = Counter()
    for record in _records(file, max_row_bytes or MAX_ROW_BYTES, on_bad):
        if record.kind not in ("conversion", ""):
            left[record.kind] += record.kind not in ABOUT
            continue
        number += 1
        size += _add(
            rows, record, number=number, file=file, columns=columns, on_bad=on_bad
        )
        if size >= batch_chars or len(rows.names) >= BATCH_ROWS:
            yield rows
            rows, size = _empty(columns), 0
    if rows.names:
        yield rows
    if +left:
        on_bad(
            BadRow(
                file.name,
                line=None,
                offset=None,
                error=InputError(_not_text(file, +left)),
                is_rest=True,
            )
        )


def _not_text(file: InputFile, left: Counter[str]) -> str:
    """What is said of records that are neither text nor about other records."""
    kinds = ", ".join(
        f"{n:,} of type {printable(kind)[:40]}" for kind, n in left.most_common(5)
    )
    what = "web pages, not text" if "response" in left else "records that are not read"
    return (
        f"{file.path}: holds {what}; give the WET file of the same name, or extract the"
        f" text first ({kinds})"
    )


def _empty(columns: Columns) -> RawRows:
    return RawRows(
        langs=None if columns.lang is None else [],
        extra={name: [] for name in columns.extra},
    )


def _records(file: InputFile, most_bytes: int, on_bad: OnBad) -> Iterator[Record]:
    """Every record in order; the end of a damaged stream goes to `on_bad`, and so does a file that is no WARC."""
    held = _Held(file)
    try:
        if not held.starts_with_version():
            line = held.ahead(80).decode("utf-8", "backslashreplace")
            raise InputError(
                f"{file.path}: not a readable WARC file (it begins with {line!r});"
                " fetch it again"
            )
        while held.more():
            yield _record(held, most_bytes)
    except InputError as error:
        on_bad(BadRow(file.name, line=None, offset=None, error=error, is_rest=True))


def _record(held: "_Held", most_bytes: int) -> Record:
    """The next record; behind it stands the first line of another one, or the end."""
    record = Record(headers=held.headers())
    text = record.headers.get("content-length", "")
    length = int(text) if text.isascii() and text.isdigit() and len(text) < 18 else None
    if length is None:
        record.fault = f"has the Content-Length {text!r}"
    elif length > most_bytes:
        record.fault = f"has {length} bytes, more than max_row_bytes"
    else:
        record.content = held.ahead(length)
        if len(record.content) < length:
            record.fault = f"ends after {len(record.content)} of {length} bytes"
        elif held.ends_at(length):
            held.skip(length)
    if record.fault or not held.at_end_of_record():
        record.fault = record.fault or f"has another length than its {length} bytes"
        record.content = held.to_next_record(most_bytes)
    held.skip_blank()
    return record


class _Held:
    """The decompressed file, of which some bytes are held ahead."""

    def __init__(self, file: InputFile) -> None:
        self.chunks, self.held = byte_chunks(file), bytearray()
        self.error: CutOff | None = None

    def more(self) -> bool:
        """Whether there is another byte; what was read before a damage comes before its error."""
        if not self.ahead(1) and self.error is not None:
            raise self.error
        return bool(self.held)

    def ahead(self, size: int) -> bytes:
        """The next bytes, fewer at the end or before a damage."""
        while len(self.held) < size and self.error is None:
            try:
                self.held += next(self.chunks)
            except StopIteration:
                break
            except CutOff as error:
                self.error = error
        return bytes(self.held[:size])

    def skip(self, size: int) -> None:
        """Forget the next bytes."""
        while size > 0 and self.ahead(1):
            size, gone = size - len(self.held), min(size, len(self.held))
            del self.held[:gone]

    def starts_with_version(self) -> bool:
        self.skip_blank()
        return self.ahead(len(VERSION)) == VERSION

    def skip_blank(self) -> None:
        while self.ahead(1) in (b"\r", b"\n"):
            self.skip(1)

    def headers(self) -> dict[str, str]:
        """The headers up to their blank line, a folded line joined to the one before."""
        head = self.ahead(1 << 12)
        while (end := re.search(rb"\r?\n\r?\n", head)) is None:
            if len(head) >= HEADER_BYTES or len(
                more := self.ahead(2 * len(head))
            ) == len(head):
                break
            head = more
        size = end.end() if end else len(head)
        lines = re.sub(rb"\r?\n[ \t]+", b" ", head[:size]).splitlines()[1:]
        self.skip(size)
        pairs = (
            line.decode("utf-8", "backslashreplace").partition(":") for line in lines
        )
        return {name.strip().lower(): value.strip() for name, _, value in pairs}

    def ends_at(self, length: int) -> bool:
        """Whether a record may end after so many bytes."""
        return _is_end(self.ahead(length + 16)[length:])

    def at_end_of_record(self) -> bool:
        return _is_end(self.ahead(16))

    def to_next_record(self, most_bytes: int) -> bytes:
        """Go to the end of this record by what stands behind it; what is passed, as far as it is held."""
        passed = bytearray()
        while here := self.ahead(1 << 16):
            found = NEXT.search(here)
            end = len(here) if len(here) < 1 << 16 else len(here) - 16
            end = found.start() if found else end
            passed += here[: min(end, most_bytes - len(passed))]
            self.skip(end)
            if found:
                break
        return bytes(passed)


def _is_end(following: bytes) -> bool:
    """Blank lines and a next record, or nothing more."""
    rest = following.lstrip(b"\r\n")
    return not rest or (
        len(rest) < len(following) and rest.startswith(VERSION[: len(rest)])
    )


def _add(
    rows: RawRows,
    record: Record,
    number: int,
    file: InputFile,
    columns: Columns,
    on_bad: OnBad,
) -> int:
    """Add one record; what it adds to a batch."""
    where = f"{file.path}:{number}"
    try:
        if record.fault:
            raise InputError(
                f"{where}: the record {record.fault}; fetch the file again, or mend it"
            )
        text = decoded(record.content, where, 0)
        values = {
            name: record.headers.get(HEADERS.get(name, name).lower())
            for name in columns.names
        }
        if columns.id is not None and values[columns.id] is None:
            raise missing_column(
                file,
                f":{number}",
                seen=list(record.headers),
                wanted=columns.id,
                role="id",
            )
    except InputError as error:
        on_bad(
            BadRow(file.name, line=number, offset=None, error=error, raw=record.content)
        )
        return 0
    rows.texts.append(text)
    rows.names.append(number if columns.id is None else values[columns.id])
    if rows.langs is not None and columns.lang is not None:
        rows.langs.append(values[columns.lang])
    for name, column in rows.extra.items():
        column.append(values[name])
    further = (values[name] or "" for name in rows.extra)
    return len(text) + sum(map(len, further))
