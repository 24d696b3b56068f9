"""The document table that every curation step reads and writes, and the hashes that name a document.

Columns: `id` 16 hex characters, `text`, `pool`, `source` (unique in its pool, for a person to find the document
again), `lang` (null when unknown), `n_chars` (characters), `parent` (the id of the document that a passage was
cut from; the document's own id when it is whole). Splits into folds or a held-out set go by `parent`.
"""

from collections.abc import Iterable, Sequence
from itertools import repeat

import numpy as np
import polars as pl
import xxhash

SCHEMA = {
    "id": pl.String,
    "text": pl.String,
    "pool": pl.String,
    "source": pl.String,
    "lang": pl.String,
    "n_chars": pl.Int64,
    "parent": pl.String,
}


def document_id(pool: str, source: str) -> str:
    """The name of a document: 64 bits of xxh3 over (pool, source), as 16 hex characters.

    It does not depend on the text, on the order of reading or on the machine. Two of ten million documents share
    an id with probability 3e-6 (birthday bound, n^2 / 2^65).

    >>> document_id("news", "a.jsonl:17")
    'da6879dca4c4bb2e'
    """
    return xxhash.xxh3_64_hexdigest(f"{pool}\0{source}".encode())


def documents(
    texts: Sequence[str | None],
    sources: Sequence[str],
    pool: str | Sequence[str],
    *,
    langs: Sequence[str | None] | str | None = None,
    parents: Sequence[str] | None = None,
) -> pl.DataFrame:
    """A document table from texts and their sources; `parents` are the sources of the parents, if any."""
    pools = repeat(pool) if isinstance(pool, str) else pool
    ids = pl.Series(list(map(document_id, pools, sources)), dtype=pl.String)
    columns = {
        "id": ids,
        "text": pl.Series(texts, dtype=pl.String),
        "pool": _column(pool, len(ids)),
        "source": pl.Series(sources, dtype=pl.String),
        "lang": _column(langs, len(ids)),
        "parent": ids if parents is None else list(map(document_id, pools, parents)),
    }
    frame = pl.DataFrame(columns).with_columns(
        n_chars=pl.col("text").str.len_chars().cast(pl.Int64)
    )
    return frame.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())


def _column(values: Sequence[str | None] | str | None, rows: int) -> pl.Series:
    """The texts as they come, or one for all rows."""
    if values is None or isinstance(values, str):
        return pl.repeat(values, rows, eager=True, dtype=pl.String)
    return pl.Series(values, dtype=pl.String)


def empty_documents() -> pl.DataFrame:
    """A document table with no rows."""
    return pl.DataFrame(schema=SCHEMA)


def id_names(ids: pl.Series) -> Iterable[str]:
    """Ids as text, also of a table that holds them as 64-bit numbers.

    >>> list(id_names(pl.Series([255], dtype=pl.UInt64)))
    ['00000000000000ff']
    """
    if ids.dtype == pl.String:
        return ids
    return (f"{number:016x}" for number in ids)


def uniform(seed: int | str, ids: Iterable[str], salt: str = "") -> np.ndarray:
    """One number in [0, 1) for each id, fixed by (seed, salt, id) alone: the same in any order and any shard.

    `salt` names the use ("fold", "draw", "random selection"), so that two uses with one seed are independent.
    """
    prefix = f"{seed}\0{salt}\0".encode()
    hashes = np.fromiter(
        (xxhash.xxh3_64_intdigest(prefix + name.encode()) for name in ids),
        dtype=np.uint64,
    )
    return (hashes >> np.uint64(11)).astype(np.float64) * 2.0**-53
