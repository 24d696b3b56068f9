"""Cut long documents into passages, at paragraphs where possible.

Why: a proxy's context is short, and a pool of a few long documents is a cluster sample whose
repetition curve is an artefact. Nothing is lost: the passages of a document, joined, are the
document. Cost: 400 MB a CPU-second (measured).
"""

from collections.abc import Iterator

import polars as pl

from stages.curation.reading.documents import SCHEMA, documents

BOUNDARIES = ("\n\n", "\n", ". ", "! ", "? ", " ")  # tried in this order
EARLIEST = 0.5  # a boundary in the first half of the window is passed over for a lesser one later (assumed)


def cut_points(text: str, passage_chars: int) -> Iterator[tuple[int, int]]:
    """(start, end) of consecutive passages of at most `passage_chars` characters."""
    start, length = 0, len(text)
    while length - start > passage_chars:
        end = _boundary(text, start, start + passage_chars)
        yield start, end
        start = end
    yield start, length


def _boundary(text: str, start: int, limit: int) -> int:
    earliest = start + max(1, int((limit - start) * EARLIEST))
    for mark in BOUNDARIES:
        at = text.rfind(mark, earliest, limit)
        if at >= 0:
            return at + len(mark)
    return limit


def split_passages(frame: pl.DataFrame, passage_chars: int) -> pl.DataFrame:
    """Documents longer than `passage_chars` as passages: source + "/k" (k from 0), `parent` = id of the whole.

    Shorter documents pass unchanged; the order is that of the input.
    """
    if passage_chars < 1:
        raise ValueError(
            f"passage_chars is {passage_chars}; give a positive number of characters"
        )
    frame = frame.with_row_index("_row")
    long = frame.filter(pl.col("n_chars") > passage_chars)
    if long.is_empty():
        return frame.drop("_row")
    pieces = [
        (row, k, text[start:end], f"{source}/{k}", source, lang, pool)
        for row, text, source, lang, pool in long.select(
            "_row", "text", "source", "lang", "pool"
        ).iter_rows()
        for k, (start, end) in enumerate(cut_points(text, passage_chars))
    ]
    rows, ks, texts, sources, parents, langs, pools = zip(*pieces, strict=True)
    split = documents(texts, sources, pools, langs=langs, parents=parents)
    split = split.with_columns(
        _row=pl.Series(rows, dtype=pl.UInt32), _k=pl.Series(ks, dtype=pl.UInt32)
    )
    short = frame.filter(pl.col("n_chars") <= passage_chars).with_columns(
        _k=pl.lit(0, dtype=pl.UInt32)
    )
    columns = [*SCHEMA, "_row", "_k"]
    return (
        pl.concat([short.select(columns), split.select(columns)])
        .sort("_row", "_k")
        .select(list(SCHEMA))
    )
