"""Question: where does a document lie among the others, for the project's own proxies? Input: a
folder that holds a trained reader and the tokenizer of the project. Output: a maker of embeddings
(texts -> (n, d)), as stages/curation/vectors/embeddings.py asks for one, to give to SemDeDup, D4,
prototypes or a selection by target. The default maker of a project is the reader it names; without
one, hashed words. Cost: tokenising and one forward pass, 1 MB of text a CPU-second at 25k
parameters (measured).
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from stages.curation.vectors.embeddings import Embed, hashed_words, sentence_model
from stages.foundation import artefacts
from stages.foundation.errors import InputError
from stages.pools.tokens import end_mark, tokenised
from stages.proxy.tokens.packed import write_packed
from stages.settings.curate_searches import SemanticSettings

POOLING = "mean"  # assumed: steadier than the last state for documents of a few windows


def proxy_embed(
    reader_folder: Path | str,
    tokenizer_file: Path | str,
    *,
    pooling: str = POOLING,
    device: str = "cpu",
) -> Embed:
    """A maker that reads texts with the proxy saved in `reader_folder`; (n, d_model) float32.

    Wants a saved proxy and its tokenizer: `proxy_embed("data/readers/25k", "data/pack/tokenizer.json")`.
    """
    from tokenizers import Tokenizer

    from stages.proxy.readers.hidden_states import document_embeddings
    from stages.proxy.readers.reader import load_reader

    if not Path(tokenizer_file).is_file():
        raise InputError(
            f"{tokenizer_file}: no such file; give the tokenizer that the proxy was"
            " trained with"
        )
    reader, tokenizer = (
        load_reader(reader_folder),
        Tokenizer.from_file(str(tokenizer_file)),
    )

    def embed(texts: Sequence[str]) -> np.ndarray:
        frame = pl.DataFrame(
            {"id": [str(row) for row in range(len(texts))], "text": list(texts)},
            schema={"id": pl.String, "text": pl.String},
        )
        with TemporaryDirectory() as folder:
            packed = write_packed(
                Path(folder) / "texts",
                tokenised(iter([frame]), tokenizer),
                vocab_size=tokenizer.get_vocab_size(),
                eos_id=end_mark(tokenizer),
            )
            return document_embeddings(
                reader, packed, np.arange(len(texts)), pooling=pooling, device=device
            )

    return embed


def proxy_of(asked: SemanticSettings | None) -> Callable[..., Embed] | None:
    """What makes the embeddings of a proxy in each worker of `assay curate`, where its semantic search asks for one;
    it is called with the `device`.
    """
    return (
        partial(proxy_embed, asked.folder, asked.tokenizer)
        if asked is not None and asked.embed == "proxy" and asked.folder is not None
        else None
    )


def choose_embed(
    reader_folder: str | None = None,
    tokenizer_file: str = artefacts.TOKENIZER,
    sentence_folder: str | None = None,
    *,
    device: str = "cpu",
) -> tuple[Embed, str]:
    """The maker a project gets, and one line saying why: its sentence model, else its proxy, else hashed words, which
    know no device.
    """
    if sentence_folder:
        return (
            sentence_model(sentence_folder, device=device),
            f"sentence-transformers model of {sentence_folder}",
        )
    if reader_folder:
        return (
            proxy_embed(reader_folder, tokenizer_file, device=device),
            f"hidden states of the proxy in {reader_folder}, {POOLING} over tokens",
        )
    return hashed_words, "hashed words (no proxy was named)"
