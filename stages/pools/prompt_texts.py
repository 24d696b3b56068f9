"""Documents whose text begins with a prompt: one text of both, and how many characters of it are the prompt's."""

import polars as pl

from stages.curation.reading.rows import BREAK

COLUMN = "prompt_chars"  # of document tables: leading characters that are the prompt's


def with_prompt(frame: pl.DataFrame) -> pl.DataFrame:
    """Documents whose text is prompt and answer, from `text` and `prompt`; without one prompt_chars is 0.

    >>> frame = pl.DataFrame({"text": ["4", "A."], "prompt": ["2 + 2?", None], "n_chars": [1, 2]})
    >>> with_prompt(frame).rows()
    [('2 + 2?\\n4', 8, 7), ('A.', 2, 0)]
    """
    asked = pl.col("prompt").fill_null("")
    before = pl.when(asked.str.strip_chars() == "").then(pl.lit(""))
    before = before.otherwise(asked.str.strip_chars_end() + BREAK)
    joined = frame.with_columns(before.alias("prompt"))
    return joined.with_columns(
        (pl.col("prompt") + pl.col("text")).alias("text"),
        pl.col("prompt").str.len_chars().cast(pl.Int64).alias(COLUMN),
    ).select(
        pl.exclude("prompt", "n_chars", COLUMN),
        pl.col("text").str.len_chars().cast(pl.Int64).alias("n_chars"),
        COLUMN,
    )
