"""The documents of one unit of work, batch by batch.

Question: what does this unit hold? Input: a unit. Output: document tables (id, source, text, lang,
n_chars and the extra columns), and through `on_bad` what cannot be read. Where an id column is
mapped, an id depends on it and the pool alone: cutting the input into other files changes nothing.
Small files share a batch, for a batch costs 15 ms whatever it holds (measured). Cost: memory of one
batch, 4 to 12 million characters.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import polars as pl

from stages.curate.work.units import Unit
from stages.curation.reading.documents import document_id, documents
from stages.curation.reading.named_files import InputFile
from stages.curation.reading.readers import read_rows
from stages.curation.reading.rows import BATCH_ROWS, OnBad, RawRows
from stages.foundation.errors import InputError
from stages.settings.curate import RESERVED, CurateSettings

BATCH_CHARS = 8_000_000  # assumed: rules work on blocks of half a million, so larger only costs memory


@dataclass
class ReadCount:
    """What a unit's files held: rows = documents + empty."""

    rows: int = 0
    empty: int = 0
    seen: set[str] = field(default_factory=set)  # extra columns with a value


def unit_documents(
    unit: Unit,
    settings: CurateSettings,
    *,
    on_bad: OnBad,
    count: ReadCount | None = None,
) -> Iterator[pl.DataFrame]:
    """Document tables in input order; documents without a visible character are left out and counted."""
    count = ReadCount() if count is None else count
    columns = settings.columns()
    if clash := set(columns.extra) & set(RESERVED):
        raise InputError(
            f"extra column {sorted(clash)[0]!r} would replace a column of the output;"
            " rename it in the input or leave it out"
        )
    waiting: list[tuple[RawRows, InputFile]] = []
    held = n_rows = 0
    for piece in unit.pieces:
        for rows in read_rows(
            piece.file,
            columns,
            BATCH_CHARS,
            span=piece.span,
            on_bad=on_bad,
            max_row_bytes=settings.max_row_bytes,
        ):
            count.rows += len(rows.names)
            count.seen |= {
                name
                for name, values in rows.extra.items()
                if name not in count.seen and any(v is not None for v in values)
            }
            waiting.append((rows, piece.file))
            held += rows.n_chars()
            n_rows += len(rows.names)
            if held >= BATCH_CHARS // 2 or n_rows >= BATCH_ROWS:
                yield _filled(waiting, settings, count)
                waiting, held, n_rows = [], 0, 0
    if waiting:
        yield _filled(waiting, settings, count)


def _filled(
    waiting: list[tuple[RawRows, InputFile]], settings: CurateSettings, count: ReadCount
) -> pl.DataFrame:
    frame = _table(waiting, settings)
    blank = frame["text"].fill_null("").str.strip_chars() == ""
    count.empty += int(blank.sum())
    return frame.filter(~blank) if blank.any() else frame


def _table(
    waiting: list[tuple[RawRows, InputFile]], settings: CurateSettings
) -> pl.DataFrame:
    """One table of what was read, of one file or of many small ones."""
    parts = [rows for rows, _ in waiting]
    texts = (
        parts[0].texts
        if len(parts) == 1
        else [text for part in parts for text in part.texts]
    )
    langs = (
        [lang for part in parts for lang in part.langs or [None] * len(part.names)]
        if any(part.langs for part in parts)
        else None
    )
    sources = [
        source for rows, file in waiting for source in _sources(rows, file, settings)
    ]
    frame = documents(_text_series(texts), sources, settings.pool, langs=langs).select(
        "id", "source", "text", "lang", "n_chars"
    )
    if settings.id is not None:
        ids = [
            document_id(settings.pool, _name(name, file))
            for rows, file in waiting
            for name in rows.names
        ]
        frame = frame.with_columns(id=pl.Series(ids, dtype=pl.String))
    extra = {
        name: [value for part in parts for value in part.extra[name]]
        for name in settings.extra
    }
    return frame.with_columns(
        pl.Series(name, values, dtype=pl.String) for name, values in extra.items()
    )


def _text_series(texts: Sequence[str | None] | pl.Series) -> pl.Series:
    return texts if isinstance(texts, pl.Series) else pl.Series(texts, dtype=pl.String)


def _sources(rows: RawRows, file: InputFile, settings: CurateSettings) -> list[str]:
    if file.kind == "text":
        return [file.name]
    return [
        f"{file.name}{'#' if settings.id is not None else ':'}{name}"
        for name in rows.names
    ]


def _name(name: str, file: InputFile) -> str:
    """What an id is made of where an id column is mapped; a text file has none."""
    return file.name if file.kind == "text" else str(name)
