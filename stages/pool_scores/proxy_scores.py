"""Question: what do the project's own proxies say of every pool document? Input: the packed pool,
its documents, the reference. Output: a difficulty of each (mean nats a token, EL2N or the norm of
its gradient, all high = hard), or embeddings of pool and reference. A proxy is trained here for
this alone, on a GPU where that pays; a difficulty of a document comes from one that has not read it
(the reference's, or the other half of the pool's, by parent). Cost: training a proxy of the ladder,
then a forward pass (a backward one for gradients) over all documents.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from stages.curation.reading.documents import uniform
from stages.foundation import artefacts
from stages.foundation.errors import InputError

if TYPE_CHECKING:
    from stages.proxy.readers.reader import Reader
    from stages.proxy.tokens.packed import Packed

PACK, TOKENIZER = artefacts.PACKED_POOLS, artefacts.TOKENIZER
MEASURES = ("nats", "el2n", "gradient")


def proxy_difficulty(
    pool: pl.DataFrame,
    reference: pl.DataFrame,
    *,
    measure: str,
    train_on: str,
    min_tokens: int,
    seed: int,
    **training: Any,
) -> np.ndarray:
    """Difficulty of each pool document (n,), NaN below `min_tokens`; `training` is size, tokens,
    context of `train_reader`.
    """
    from stages.proxy.readers.reader import train_reader

    packed, rows = packed_rows(pool)
    training["seed"] = seed
    if train_on == "reference":
        with (
            TemporaryDirectory() as folder,
            _place(packed, rows, training, measure=measure) as device,
        ):
            read = packed_texts(Path(folder) / "reference", reference)
            every = np.arange(read.n_documents)
            reader = train_reader(read, every, device=device, **training)
            values = measured(reader, packed, rows, measure=measure, device=device)
    else:
        values, half = (
            np.zeros(len(rows)),
            uniform(seed, pool["parent"], "proxy half") < 0.5,
        )
        with _place(packed, rows, training, measure=measure, times=2) as device:
            for side in (half, ~half):
                values[side] = measured(
                    train_reader(packed, rows[~side], device=device, **training),
                    packed,
                    rows[side],
                    measure=measure,
                    device=device,
                )
    return np.where(packed.n_tokens_each[rows] >= min_tokens, values, np.nan)


def measured(
    reader: "Reader", packed: "Packed", rows: np.ndarray, *, measure: str, device: str
) -> np.ndarray:
    """One of MEASURES for documents `rows` (n,)."""
    from stages.proxy.readers.hidden_states import document_el2n, document_gradients

    if measure == "nats":
        nats, tokens = reader.document_nats(packed, rows, device)
        return nats / tokens
    return {"el2n": document_el2n, "gradient": document_gradients}[measure](
        reader, packed, rows, device=device
    )


def _place(
    packed: "Packed",
    rows: np.ndarray,
    training: Mapping[str, Any],
    measure: str = "",
    times: int = 1,
) -> AbstractContextManager[str]:
    """The device of readers that are trained so many times and together read all these documents."""
    from stages.proxy.readers.place import reading_place

    return reading_place(
        training["size"],
        context=training["context"],
        vocab_size=packed.vocab_size,
        trained_tokens=times * training["tokens"],
        read_tokens=int(packed.n_tokens_each[rows].sum()),
        backward=measure == "gradient",
    )


def proxy_embeddings(
    pool: pl.DataFrame, reference: pl.DataFrame, *, seed: int, **training: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Position-weighted hidden states (RDS+) of pool and reference (n, d), of a proxy that has read the pool."""
    from stages.proxy.readers.hidden_states import document_embeddings
    from stages.proxy.readers.reader import train_reader

    packed, rows = packed_rows(pool)
    with (
        TemporaryDirectory() as folder,
        _place(packed, rows, training) as device,
    ):
        reader = train_reader(packed, rows, seed=seed, device=device, **training)
        how = {"pooling": "weighted", "device": device}
        read = packed_texts(Path(folder) / "reference", reference)
        target = document_embeddings(reader, read, np.arange(read.n_documents), **how)
        return document_embeddings(reader, packed, rows, **how), target


def packed_rows(pool: pl.DataFrame) -> tuple["Packed", np.ndarray]:
    """The packed pool and the row of each document in it (n,)."""
    from stages.proxy.tokens.packed import Packed

    packed = Packed.open(PACK)
    place = pl.DataFrame({"id": packed.ids}).with_row_index("row")
    rows = pool.select("id").join(
        place, on="id", how="left", maintain_order="left", validate="1:1"
    )["row"]
    if rows.null_count():
        raise InputError(
            f"{rows.null_count()} of {pool.height} documents are not in {PACK}; run the"
            " pack stage again"
        )
    return packed, rows.to_numpy().astype(np.int64)


def packed_texts(folder: Path, frame: pl.DataFrame) -> "Packed":
    """Documents as tokens of the project's tokenizer."""
    from tokenizers import Tokenizer

    from stages.pools.tokens import end_mark, tokenised
    from stages.proxy.tokens.packed import write_packed

    tokenizer = Tokenizer.from_file(TOKENIZER)
    return write_packed(
        folder,
        tokenised(iter([frame]), tokenizer),
        vocab_size=tokenizer.get_vocab_size(),
        eos_id=end_mark(tokenizer),
    )
