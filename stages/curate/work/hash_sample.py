"""A sample of documents that neither order nor shards decide, drawn from a stream.

Question: which documents does a model learn from? Input: document tables as they come. Output:
those of the smallest hashes of (seed, salt, id), at most `max_chars` characters of them (one
document at least), by hash. Cost: 3 million ids a CPU-second (measured); memory of twice the
characters, as texts.
"""

from collections.abc import Iterable

import polars as pl

from stages.curation.reading.documents import uniform


def smallest(
    frames: Iterable[pl.DataFrame], max_chars: int, seed: int, salt: str
) -> pl.DataFrame:
    """The sample; a table without rows where there are no documents."""
    kept, held, bound = [], 0, 1.0
    for frame in frames:
        frame = frame.with_columns(
            _u=pl.Series(uniform(seed, frame["id"], salt), dtype=pl.Float64)
        ).filter(pl.col("_u") < bound)
        kept.append(_apart(frame))
        held += int(frame["n_chars"].sum())
        if held > 2 * max_chars:
            kept = [_apart(_first(kept, max_chars))]
            held, bound = int(kept[0]["n_chars"].sum()), kept[0]["_u"].max()
    return (
        _first(kept, max_chars).drop("_u")
        if kept
        else pl.DataFrame(
            schema={"id": pl.String, "text": pl.String, "n_chars": pl.Int64}
        )
    )


def _first(parts: list[pl.DataFrame], max_chars: int) -> pl.DataFrame:
    together = pl.concat(parts).sort("_u", "id")
    return together.filter(
        pl.col("n_chars").cum_sum()
        <= max(max_chars, together["n_chars"][0] if together.height else 0)
    )


def _apart(frame: pl.DataFrame) -> pl.DataFrame:
    """A copy of its own: a few rows of a batch otherwise hold on to the texts of all."""
    return pl.from_arrow(frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
