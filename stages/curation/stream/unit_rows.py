"""The documents of one unit of work, batch by batch.

Question: what does this unit hold? Input: a unit. Output: document tables (id, source, text, lang, n_chars and the
extra columns), and through `on_bad` what cannot be read. Where an id column is mapped, an id depends on it and the pool alone:
cutting the input into other files changes nothing. Cost: memory of one batch, 8 million characters.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from stages.curation.documents import document_id, documents
from stages.curation.files import InputFile
from stages.curation.readers import read_rows
from stages.curation.rows import OnBad, RawRows, text_series
from stages.curation.stream.settings import RESERVED, CurateSettings
from stages.curation.stream.units import Unit
from stages.errors import InputError

BATCH_CHARS = 8_000_000  # assumed: rules work on blocks of half a million, so larger only costs memory


@dataclass
class ReadCount:
    """What a unit's files held: rows = documents + empty."""

    rows: int = 0
    empty: int = 0


def unit_documents(unit: Unit, settings: CurateSettings, *, on_bad: OnBad, count: ReadCount | None = None) -> Iterator[pl.DataFrame]:
    """Document tables in input order; documents without a visible character are left out and counted."""
    count = ReadCount() if count is None else count
    columns = settings.columns()
    if clash := set(columns.extra) & set(RESERVED):
        raise InputError(f"extra column {sorted(clash)[0]!r} would replace a column of the output; rename it in the input or leave it out")
    for piece in unit.pieces:
        for rows in read_rows(piece.file, columns, BATCH_CHARS, span=piece.span, on_bad=on_bad, max_row_bytes=settings.max_row_bytes):
            count.rows += len(rows.names)
            frame = _table(rows, piece.file, settings)
            blank = frame["text"].fill_null("").str.strip_chars() == ""
            count.empty += int(blank.sum())
            yield frame.filter(~blank) if blank.any() else frame


def _table(rows: RawRows, file: InputFile, settings: CurateSettings) -> pl.DataFrame:
    mapped = settings.id is not None and file.kind != "text"
    sources = [f"{file.name}#{name}" if mapped else f"{file.name}:{name}" for name in rows.names] if file.kind != "text" else [file.name]
    frame = documents(text_series(rows.texts), sources, settings.pool, langs=rows.langs).select("id", "source", "text", "lang", "n_chars")
    if mapped:
        frame = frame.with_columns(id=pl.Series([document_id(settings.pool, str(name)) for name in rows.names], dtype=pl.String))
    return frame.with_columns(pl.Series(name, values, dtype=pl.String) for name, values in rows.extra.items())
