"""Embeddings of what is left of the input, block by block.

Question: where does each document lie? Input: the documents that are left, and a maker of
embeddings. Output: one npy file a block with VECTOR records in input order. A block begins where
the characters of the input reach a multiple of `BLOCK_CHARS`, and its batches depend on its
documents alone: so a model whose rounding depends on the batch gives the same numbers for any
shards and workers (on one kind of machine; arithmetic runs on one thread). Cost: the embedder's;
hashed words 52 MB a CPU-second (measured); 4 bytes a column and document on disk, twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from stages.curate.searches.copy_keys import id_numbers, preference
from stages.curate.searches.drops import even_batches, left
from stages.curate.work.hash_sample import smallest
from stages.curate.work.numbering import Units
from stages.curate.work.sorted_runs import vector_dtype
from stages.curation.scores.word_space import (
    Embedder,
    fit_space,
    save_space,
    space_embedder,
)
from stages.curation.text.characters import mixed
from stages.curation.vectors.embeddings import Embed, embedded, sentence_model
from stages.curation.vectors.products import unit_rows
from stages.foundation.errors import InputError
from stages.foundation.files import whole_file
from stages.settings.curate import CurateSettings
from stages.settings.curate_searches import DISTANCES, SemanticSettings

BLOCK_CHARS = 64_000_000
SALT = np.uint64(0x632BE59BD9B4E019)


def embedder(
    asked: SemanticSettings,
    folder: Path,
    proxy: Callable[..., Embed] | None,
    device: str,
) -> Callable[[], Embedder]:
    """What makes the embedder in each worker, of a model or a proxy on the device; can be pickled."""
    if asked.embed == "words":
        return partial(space_embedder, folder / "space.npy")
    if asked.embed == "column" and asked.column is not None:
        return partial(_column_embedder, asked.column)
    if asked.embed == "sentence" and asked.folder is not None:
        return partial(
            _text_embedder, partial(sentence_model, asked.folder, device=device)
        )
    if proxy is None:
        raise InputError(
            "semantic.embed: proxy needs a maker of its embeddings; run it as assay"
            " curate, or give Request one"
        )
    return partial(_text_embedder, partial(proxy, device=device))


def _text_embedder(make: Callable[[], Embed]) -> Embedder:
    embed = make()
    return lambda frame: embedded(embed, frame["text"].to_list())


def _column_embedder(column: str) -> Embedder:
    return lambda frame: column_vectors(frame, column)


def column_vectors(frame: pl.DataFrame, column: str) -> np.ndarray:
    """The vectors that the input holds as lists of numbers (n, d)."""
    try:
        lists = frame[column].str.json_decode(pl.List(pl.Float64))
    except pl.exceptions.ComputeError:
        raise InputError(
            f"column {column!r} holds what is no list of numbers; write one list of"
            " equal length a row"
        ) from None
    sizes = lists.list.len()
    if (
        lists.null_count()
        or sizes.n_unique() != 1
        or not sizes[0]
        or lists.explode().null_count()
    ):
        at = int(
            (lists.is_null() | (sizes != sizes.drop_nulls().mode().min()))
            .fill_null(True)
            .arg_max()
        )
        raise InputError(
            f"{frame['source'][at]}: column {column!r} holds"
            f" {str(frame[column][at])[:30]!r}; write one list of equal length a row"
        )
    return lists.explode().to_numpy().reshape(frame.height, -1).astype(np.float32)


def fit_words(
    units: Units, folder: Path, asked: SemanticSettings, target: Path
) -> bool:
    """Fit the space of words to documents that are left, of the smallest hashes; whether there were enough."""
    if not target.exists():
        spans = zip(units.starts, units.starts[1 : units.n_new + 1], strict=False)
        documents = (
            frame
            for low, high in spans
            for _, frame in left(
                units,
                folder,
                low=low,
                high=high,
                columns=["id", "text", "n_chars", "reason"],
            )
        )
        sample = smallest(
            documents, asked.sample_chars, seed=asked.seed, salt="space of words"
        )
        if sample.height < 2:
            return False
        with threadpool_limits(1):
            save_space(fit_space(sample, asked.dimensions, asked.seed), target)
    return True


def hashed_ids(ids: np.ndarray, seed: int) -> np.ndarray:
    """64 bits fixed by (seed, id) (n,): an order that no file or shard decides."""
    return mixed(ids ^ mixed(np.full(1, seed, dtype=np.uint64) + SALT))


@dataclass(frozen=True)
class EmbedTask:
    """The vectors of one block; `target` is the folder that they go to."""

    units: Units
    folder: Path  # of the losers
    target: Path
    settings: CurateSettings
    asked: SemanticSettings
    bounds: tuple[int, ...]
    make: Callable[[], Embedder]

    def __call__(self, block: int) -> tuple[int, int]:
        """(documents, columns)."""
        target = self.target / f"vectors-{block:05d}.npy"
        if not target.exists():
            embed = self.make()
            with threadpool_limits(1):
                batches = even_batches(
                    left(
                        self.units,
                        self.folder,
                        low=self.bounds[block],
                        high=self.bounds[block + 1],
                        columns=self._columns(),
                    )
                )
                parts = [
                    self._records(embed, ordinals, frame) for ordinals, frame in batches
                ]
            if len({part.dtype for part in parts}) > 1:
                raise InputError(
                    "the embeddings of two batches differ in length; the embedder must"
                    " always give as many numbers"
                )
            with whole_file(target) as temporary, open(temporary, "wb") as file:
                np.save(
                    file,
                    (
                        np.concatenate(parts)
                        if parts
                        else np.zeros(0, dtype=vector_dtype(0))
                    ),
                )
        found = np.load(target, mmap_mode="r")
        return len(found), found.dtype["vector"].shape[0] if len(found) else 0

    def _columns(self) -> list[str]:
        asked = self.asked
        scores = [] if asked.keep in (*DISTANCES, "longest") else [asked.keep]
        return [
            "id",
            "source",
            "text",
            "n_chars",
            "reason",
            *([asked.column] if asked.column else []),
            *scores,
        ]

    def _records(
        self, embed: Embedder, ordinals: np.ndarray, frame: pl.DataFrame
    ) -> np.ndarray:
        vectors, keep = unit_rows(embed(frame)), self.asked.keep
        records = np.zeros(len(ordinals), dtype=vector_dtype(vectors.shape[1]))
        records["ordinal"], records["id"], records["vector"] = (
            ordinals,
            id_numbers(frame["id"]),
            vectors,
        )
        records["score"] = (
            0.0 if keep in DISTANCES else preference(frame, keep, self.settings)
        )
        return records
