"""Text to tokens: the tokenizer, trained on the pools, and documents as it reads them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from stages.foundation.errors import InputError, ParamsError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

EOS = "<|end|>"
BATCH_DOCUMENTS = 1000


def train_tokenizer(texts: Iterator[str], vocab_size: int) -> "Tokenizer":
    """A byte-level BPE without normalisation: every string has a tokenisation and decodes to itself."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[EOS],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def load_tokenizer(path: str, vocab_size: int) -> "Tokenizer":
    """A tokenizer from its file. ParamsError where it is none, or has another vocabulary or no end mark."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(path)
    except Exception as error:  # of its Rust code, which knows no other
        raise ParamsError(
            f"pack.tokenizer: {path} cannot be read ({str(error)[:80]}); give the"
            " tokenizer.json of a project"
        ) from None
    if tokenizer.get_vocab_size() != vocab_size:
        raise ParamsError(
            f"pack.vocab_size: is {vocab_size}, the tokenizer {path} has"
            f" {tokenizer.get_vocab_size()} words; set it to that"
        )
    end_mark(tokenizer)
    return tokenizer


def end_mark(tokenizer: "Tokenizer") -> int:
    """The token that ends a document. InputError where the tokenizer was not made by `train_tokenizer`."""
    eos = tokenizer.token_to_id(EOS)
    if eos is None:
        raise InputError(
            f"the tokenizer has no token {EOS!r} to end a document with; give the one"
            " that the pack stage trained"
        )
    return eos


def tokenised(
    frames: Iterator[pl.DataFrame],
    tokenizer: "Tokenizer",
) -> Iterator[tuple[str, np.ndarray, int]]:
    """(id, tokens with the end mark, UTF-8 bytes) of every document of the frames."""
    eos = end_mark(tokenizer)
    for frame in frames:
        for batch in frame.iter_slices(BATCH_DOCUMENTS):
            for id_, text, encoding in zip(
                batch["id"],
                batch["text"],
                tokenizer.encode_batch_fast(batch["text"].to_list()),
                strict=True,
            ):
                yield id_, np.array([*encoding.ids, eos]), len(text.encode())
