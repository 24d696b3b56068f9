"""Question: what are the documents as tokens? Input: the ingested pools and held-out documents.
Output: one byte-level BPE tokenizer, trained here on the training pools alone, and every document
tokenised once into memmaps with a document index; behind the pools the shorter texts that the dedup
stage made for arms with `dedup: lines`. Files are read batch by batch. Cost: about 1 s per MB of
text; arms are views over these files, so they cost no disk.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from stages import images
from stages.curation.duplicates.clusters import SHORTENED
from stages.curation.reading.row_groups import batches, compact
from stages.declarations.pack import PackParams
from stages.foundation import artefacts
from stages.foundation.files import whole_file, whole_folder, write_json
from stages.images.pack import pack as pack_images
from stages.pools.prompt_texts import COLUMN as PROMPT_CHARS
from stages.pools.prompts import prompted
from stages.pools.tokens import end_mark, load_tokenizer, tokenised, train_tokenizer
from stages.proxy.tokens.packed import Document, Packed, write_packed

if TYPE_CHECKING:
    from tokenizers import Tokenizer

HEAD_DOCUMENTS = 2000  # of a held-out domain, read at a time


def run(params: PackParams) -> None:
    """Train the tokenizer on pool text, pack the pools, then each held-out domain up to its cap."""
    if images.are_pooled():
        pack_images()
        return
    shards = sorted(Path(artefacts.POOLS).rglob("*.parquet"))
    if params.tokenizer is not None:
        tokenizer = load_tokenizer(params.tokenizer, params.vocab_size)
    else:
        tokenizer = train_tokenizer(
            iter(sample_texts(shards, params.tokenizer_chars)), params.vocab_size
        )
    with whole_file(artefacts.TOKENIZER) as temporary:
        tokenizer.save(str(temporary))
    sizes = {
        "vocab_size": tokenizer.get_vocab_size(),
        "eos_id": end_mark(tokenizer),
    }
    write_packed(
        Path(artefacts.PACKED_POOLS),
        as_tokens(training_texts(shards), tokenizer),
        **sizes,
    )
    with whole_folder(artefacts.PACKED_HELD_OUT) as folder:
        for file in sorted(Path(artefacts.INGESTED_HELD_OUT).glob("*.parquet")):
            documents = as_tokens(in_id_order(file), tokenizer)
            write_packed(
                folder / file.stem, up_to(documents, params.heldout_tokens), **sizes
            )
    write_set_aside(tokenizer)
    pools = Packed.open(Path(artefacts.PACKED_POOLS))
    write_json(
        artefacts.PACK_METRICS,
        {
            "pool_documents": pools.n_documents,
            "pool_tokens": pools.n_tokens,
            "bytes_per_token": round(float(pools.n_bytes.sum() / pools.n_tokens), 3),
        },
    )


def training_texts(shards: list[Path]) -> Iterator[pl.DataFrame]:
    """The pools, then the texts that lost lines, under ids of their own."""
    for shard in shards:
        yield from batches(shard, text_columns(shard))
    for frame in batches(artefacts.LINE_COPIES, ["id", "text"]):
        yield frame.filter(pl.col("text").str.strip_chars() != "").with_columns(
            pl.col("id") + SHORTENED
        )


def text_columns(file: Path) -> list[str]:
    """The columns of a document table that are packed; prompt_chars where some documents have a prompt."""
    there = pl.read_parquet_schema(file)
    return ["id", "text", *(name for name in (PROMPT_CHARS,) if name in there)]


def as_tokens(
    frames: Iterator[pl.DataFrame], tokenizer: "Tokenizer"
) -> Iterator[Document]:
    """Documents as tokens, with their prompts where the frame knows of some."""
    for frame in frames:
        known = PROMPT_CHARS in frame.columns
        yield from (prompted if known else tokenised)(iter([frame]), tokenizer)


def in_id_order(file: Path) -> Iterator[pl.DataFrame]:
    """The documents with the smallest ids first, so many at a time that a held-out domain takes one or two reads."""
    ids = pl.concat(batches(file, ["id"]))["id"].sort()
    for first in range(0, len(ids), HEAD_DOCUMENTS):
        low, high = ids[first], ids[min(first + HEAD_DOCUMENTS, len(ids)) - 1]
        chosen = pl.col("id").is_between(pl.lit(low), pl.lit(high))
        yield pl.concat(
            compact(frame.filter(chosen)) for frame in batches(file, text_columns(file))
        ).sort("id")


def write_set_aside(tokenizer: "Tokenizer") -> None:
    """Sizes of what no arm may train on (held out, reference, contaminated), so that the ledger
    counts tokens throughout.
    """
    parts = []
    for file, reason in set_aside_files():
        for frame in batches(file):
            frame = frame.with_columns(reason=reason)
            sizes = [
                len(tokens) for _, tokens, _ in tokenised(iter([frame]), tokenizer)
            ]
            parts.append(
                compact(
                    frame.select("id", "pool", "n_chars", "reason").with_columns(
                        n_tokens=pl.Series(sizes, dtype=pl.Int32)
                    )
                )
            )
    with whole_file(artefacts.SET_ASIDE) as temporary:
        pl.concat(parts).write_parquet(temporary)


def set_aside_files() -> Iterator[tuple[Path, pl.Expr]]:
    """Files of documents that are not trained on, and why; contaminated ones say so themselves."""
    for file in sorted(Path(artefacts.INGESTED_HELD_OUT).glob("*.parquet")):
        yield file, pl.lit("held out")
    yield Path(artefacts.REFERENCE), pl.lit("reference")
    yield (
        Path(artefacts.INGEST_DROPPED),
        pl.when(pl.col("role") == "reference")
        .then(pl.lit("reference"))
        .otherwise("reason"),
    )


def sample_texts(shards: list[Path], n_chars: int) -> pl.Series:
    """Texts of the documents with the smallest ids (ids are hashes: a uniform sample) up to `n_chars`."""
    sizes = pl.concat(
        frame for shard in shards for frame in batches(shard, ["id", "n_chars"])
    ).sort("id")
    n_documents = max(1, int((sizes["n_chars"].cum_sum() <= n_chars).sum()))
    last = sizes["id"][n_documents - 1]
    return pl.concat(
        compact(frame.filter(pl.col("id") <= last))
        for shard in shards
        for frame in batches(shard, ["id", "text"])
    ).sort("id")["text"]


def up_to(documents: Iterator[Document], tokens: int) -> Iterator[Document]:
    """Whole documents until `tokens` is reached; at least one."""
    total = 0
    for document in documents:
        if total and total + len(document[1]) > tokens:
            return
        total += len(document[1])
        yield document
