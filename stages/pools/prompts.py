"""Documents that begin with a prompt: one text of both, and how many of its tokens and bytes are the prompt's.

A pool whose documents have one (ingest.pools.NAME.prompt) is read whole, for a passage would lose what was asked. The
prompt ends with a line break; tokens that begin before the answer are the prompt's.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from stages.pools.tokens import BATCH_DOCUMENTS, end_mark
from stages.proxy.tokens.packed import Document, Prompt

if TYPE_CHECKING:
    from tokenizers import Tokenizer

COLUMN = "prompt_chars"  # of document tables: leading characters that are the prompt's
BREAK = "\n"


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


def prompted(
    frames: Iterator[pl.DataFrame], tokenizer: "Tokenizer"
) -> Iterator[Document]:
    """(id, tokens with the end mark, UTF-8 bytes, prompt) of documents with id, text and prompt_chars, null for none."""
    eos = end_mark(tokenizer)
    for frame in frames:
        for batch in frame.iter_slices(BATCH_DOCUMENTS):
            encodings = tokenizer.encode_batch(batch["text"].to_list())
            columns = (batch["id"], batch["text"], batch[COLUMN].fill_null(0))
            for id_, text, n_chars, encoding in zip(*columns, encodings, strict=True):
                tokens = np.array([*encoding.ids, eos])
                prompt = _prompt(text, n_chars, encoding.offsets)
                yield id_, tokens, len(text.encode()), prompt


def _prompt(text: str, n_chars: int, offsets: list[tuple[int, int]]) -> Prompt:
    """offsets: first character and that behind the last of every token."""
    begins = [first for first, _ in offsets]
    n_tokens = sum(first < n_chars for first in begins)
    scored_from = begins[n_tokens] if n_tokens < len(begins) else len(text)
    n_bytes = len(text[:scored_from].encode()) if n_tokens else 0
    return Prompt(n_tokens, n_bytes)
