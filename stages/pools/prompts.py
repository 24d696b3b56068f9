"""Documents that begin with a prompt, as tokens: how many of its tokens and bytes are the prompt's.

A pool whose documents have one (ingest.pools.NAME.prompt) is read whole, for a passage would lose what was asked. The
prompt ends with a line break; tokens that begin before the answer are the prompt's.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from stages.pools.prompt_texts import COLUMN
from stages.pools.tokens import BATCH_DOCUMENTS, end_mark
from stages.proxy.tokens.packed import Document, Prompt

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def prompted(
    frames: Iterator[pl.DataFrame], tokenizer: "Tokenizer"
) -> Iterator[Document]:
    """(id, tokens with the end mark, UTF-8 bytes, prompt) of documents with id, text and prompt_chars (null: none)."""
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
