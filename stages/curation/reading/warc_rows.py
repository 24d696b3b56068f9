"""Text records of WARC files: the WET files of Common Crawl, and others with records of type
`conversion`.

Question: which pages does this crawl hold, as text? Input: a file, plain or compressed; headers are
its columns (`url` and `date` are short for WARC-Target-URI and WARC-Date). Output: batches of rows,
named by the number of the record or by the header that is mapped as id. A WARC file of HTML pages
is refused: extracting text is another tool's work. Cost: 200 MB a CPU-second, compressed 100
(measured); memory of one batch. Needs the package warcio (extra `warc`).
"""

from collections.abc import Iterator

from stages.curation.reading.inputs import CutOff, InputFile, byte_chunks, decoded
from stages.curation.reading.rows import (
    BadRow,
    Columns,
    OnBad,
    RawRows,
    missing_column,
    refuse,
)
from stages.foundation.errors import InputError

HEADERS = {"url": "WARC-Target-URI", "date": "WARC-Date"}
PIECE_BYTES = 1 << 16
MAX_ROW_BYTES = 1 << 31


def warc_rows(
    file: InputFile,
    columns: Columns,
    batch_chars: int,
    *,
    on_bad: OnBad = refuse,
    max_row_bytes: int | None = None,
) -> Iterator[RawRows]:
    """Batches of about `batch_chars` characters; a record that is cut off or not UTF-8 goes to `on_bad`."""
    rows, size, number, pages = _empty(columns), 0, 0, 0
    records = _records(file, on_bad)
    for record in records:
        pages += record.rec_type == "response"
        if record.rec_type != "conversion":
            continue
        number += 1
        size += _add(
            rows,
            record,
            number=number,
            file=file,
            columns=columns,
            on_bad=on_bad,
            max_row_bytes=max_row_bytes or MAX_ROW_BYTES,
        )
        if size >= batch_chars:
            yield rows
            rows, size = _empty(columns), 0
    if rows.names:
        yield rows
    if pages and not number:
        on_bad(
            BadRow(
                file.name,
                line=None,
                offset=None,
                error=InputError(
                    f"{file.path}: holds web pages, not text; give the WET file of the"
                    " same name, or extract the text first"
                ),
            )
        )


def _empty(columns: Columns) -> RawRows:
    return RawRows(
        langs=None if columns.lang is None else [],
        extra={name: [] for name in columns.extra},
    )


def _records(file: InputFile, on_bad: OnBad) -> Iterator:
    try:
        from warcio.archiveiterator import ArchiveIterator
        from warcio.exceptions import ArchiveLoadFailed
    except ImportError:
        raise InputError(
            f"{file.path}: WARC files need the package warcio; run: pip install"
            " 'assay[warc]'"
        ) from None
    try:
        yield from ArchiveIterator(_Stream(file), no_record_parse=True)
    except CutOff as error:
        on_bad(BadRow(file.name, line=None, offset=None, error=error))
    except ArchiveLoadFailed as error:
        on_bad(
            BadRow(
                file.name,
                line=None,
                offset=None,
                error=InputError(
                    f"{file.path}: not a readable WARC file ({error}); fetch it again"
                ),
            )
        )


class _Stream:
    """The decompressed file as warcio reads it; what was read before a damage comes out before the error."""

    def __init__(self, file: InputFile) -> None:
        self.chunks, self.held = byte_chunks(file), b""
        self.error: CutOff | None = None

    def read(self, size: int) -> bytes:
        while not self.held and self.error is None:
            try:
                self.held = next(self.chunks)
            except StopIteration:
                return b""
            except CutOff as error:
                self.error = error
        if not self.held and self.error is not None:
            raise self.error
        part, self.held = self.held[:size], self.held[size:]
        return part

    def close(self) -> None:
        self.chunks.close()


def _add(
    rows: RawRows,
    record,
    number: int,
    file: InputFile,
    columns: Columns,
    on_bad: OnBad,
    max_row_bytes: int,
) -> int:
    """Add one record; its characters."""
    parts: list[bytes] = []
    try:
        text = _text(
            record, number, file=file, parts=parts, max_row_bytes=max_row_bytes
        )
        values = {
            name: record.rec_headers.get_header(HEADERS.get(name, name))
            for name in columns.names()
        }
        if columns.id is not None and values[columns.id] is None:
            raise missing_column(
                file,
                f":{number}",
                seen=[name for name, _ in record.rec_headers.headers],
                wanted=columns.id,
            )
    except InputError as error:
        on_bad(
            BadRow(
                file.name, line=number, offset=None, error=error, raw=b"".join(parts)
            )
        )
        return 0
    rows.texts.append(text)
    rows.names.append(number if columns.id is None else values[columns.id])
    if rows.langs is not None and columns.lang is not None:
        rows.langs.append(values[columns.lang])
    for name, column in rows.extra.items():
        column.append(values[name])
    return len(text)


def _text(
    record, number: int, file: InputFile, parts: list[bytes], max_row_bytes: int
) -> str:
    where = f"{file.path}:{number}"
    if record.length > max_row_bytes:
        raise InputError(
            f"{where}: the record has {record.length} bytes, more than max_row_bytes;"
            " raise it or split the document"
        )
    stream = record.content_stream()
    while part := stream.read(PIECE_BYTES):
        parts.append(part)
    content = b"".join(parts)
    if len(content) < record.length:
        raise InputError(
            f"{where}: the record ends after {len(content)} of {record.length} bytes;"
            " fetch the file again"
        )
    return decoded(content, where, 0)
