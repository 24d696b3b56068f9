"""Exact duplicates below the document: lines or paragraphs that an earlier document already holds.

Question: which lines (or paragraphs) of a collection repeat, and what are the documents without
them? Of equal ones the first stays: that of the smallest document id, and in it the first. So the
result does not depend on order or sharding. In three steps, each a shard at a time: `unit_keys` of
every shard, `repeated_units` of all keys, `without_copies` of every shard. Short ones are left
alone (a closing bracket is no copy). Equality is of 64-bit hashes of the whole line, spaces too:
among a billion different lines a false match has a chance of 3 %. Cost: keys 90, rewriting 65 MB a
CPU-second (measured); 32 bytes and a hash table entry a line while repeats are sought.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl

from stages.curation.duplicates.settings import MIN_CHARS
from stages.curation.kernels.lines import joined
from stages.curation.text.characters import Block, blocks, mixed
from stages.curation.text.lines import lines_of
from stages.curation.text.spans import without_spans
from stages.foundation.errors import InputError

UNITS = ("line", "paragraph")


def unit_keys(
    frame: pl.DataFrame, unit: str = "line", min_chars: int = MIN_CHARS
) -> pl.DataFrame:
    """Columns `hash`, `id`, `start` (place in the text): one row a line or paragraph of at least
    `min_chars` characters.
    """
    schema = {"hash": pl.UInt64, "id": pl.String, "start": pl.Int64}
    parts = [pl.DataFrame(schema=schema)]
    for rows, _, hashes, docs, starts, _ in unit_spans(frame["text"], unit, min_chars):
        parts.append(
            pl.DataFrame(
                {"hash": hashes, "id": frame["id"][rows].gather(docs), "start": starts},
                schema=schema,
            )
        )
    return pl.concat(parts)


def repeated_units(keys: pl.DataFrame | Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The one that stays of each hash that occurs more than once: columns `hash`, `id`, `start`."""
    keys = keys if isinstance(keys, pl.DataFrame) else pl.concat(keys)
    again = keys.filter(pl.col("hash").is_duplicated())
    return (
        again.sort("id", "start")
        .unique("hash", keep="first", maintain_order=True)
        .sort("hash")
    )


def without_copies(
    frame: pl.DataFrame,
    repeated: pl.DataFrame,
    unit: str = "line",
    min_chars: int = MIN_CHARS,
) -> pl.DataFrame:
    """The documents without repeated units that are not the one that stays; `units_dropped` and
    `chars_dropped` are added.

    >>> from stages.curation.reading.documents import documents
    >>> footer = "All rights reserved by the publisher."
    >>> pool = documents([f"A first text.\\n{footer}", f"A second.\\n{footer}"], ["1", "2"], "p")
    >>> cleaned = without_copies(pool, repeated_units(unit_keys(pool)))
    >>> sorted(cleaned["text"], key=len)
    ['A second.', 'A first text.\\nAll rights reserved by the publisher.']
    """
    texts, units, chars = [], [], []
    for rows, block, hashes, docs, starts, stops in unit_spans(
        frame["text"], unit, min_chars
    ):
        own = frame["id"][rows].gather(docs)
        table = pl.DataFrame({"hash": hashes, "own": own, "place": starts}).join(
            repeated, on="hash", how="left", maintain_order="left"
        )
        copy = (
            table["id"].is_not_null()
            & ((table["id"] != table["own"]) | (table["start"] != table["place"]))
        ).to_numpy()
        texts += without_spans(
            frame["text"][rows].to_list(),
            docs[copy],
            starts=starts[copy],
            stops=stops[copy],
        )
        units.append(np.bincount(docs[copy], minlength=block.n_docs))
        chars.append(
            np.bincount(
                docs[copy], weights=(stops - starts)[copy], minlength=block.n_docs
            ).astype(np.int64)
        )
    counted = {
        "units_dropped": np.concatenate([np.zeros(0, dtype=np.int64), *units]),
        "chars_dropped": np.concatenate([np.zeros(0, dtype=np.int64), *chars]),
    }
    frame = frame.with_columns(
        pl.Series("text", texts, dtype=pl.String),
        *(pl.Series(name, value, dtype=pl.Int64) for name, value in counted.items()),
    )
    return (
        frame.with_columns(n_chars=pl.col("text").str.len_chars().cast(pl.Int64))
        if "n_chars" in frame.columns
        else frame
    )


def unit_spans(
    texts: pl.Series, unit: str, min_chars: int
) -> Iterator[tuple[slice, Block, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """(rows, block, hashes, documents, starts, stops) of the units of each block; places count from
    the start of the text.
    """
    if unit not in UNITS:
        raise InputError(
            f"no unit {unit!r} to look for copies of; known are {', '.join(UNITS)}"
        )
    for rows, block in blocks(texts):
        lines = lines_of(block, block.flags())
        hashes, first, last = (
            lines.hashes,
            np.arange(len(lines.docs)),
            np.arange(len(lines.docs)),
        )
        if unit == "paragraph":
            hashes, first = (
                joined(lines.hashes, lines.opens),
                np.flatnonzero(lines.opens),
            )
            last = (
                np.concatenate([first[1:] - 1, [len(lines.docs) - 1]])
                if len(first)
                else first
            )
        docs = lines.docs[first]
        starts, stops = (
            lines.starts[first] - block.doc_starts[docs],
            lines.ends[last] - block.doc_starts[docs],
        )
        long = stops - starts >= min_chars
        yield (
            rows,
            block,
            mixed(hashes)[long],
            docs[long],
            starts[long],
            stops[long] + 1,
        )
