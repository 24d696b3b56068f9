"""MinHash signatures: what is kept of a document to find its duplicates, 320 bytes whatever its length.

Question: how alike are two documents? Input: texts. Output: per document a hash of the exact text, a
hash of its words, one key for each band of the locality-sensitive hash, and a sketch: one byte of
each minimum. Two documents whose sets of n-word shingles have Jaccard similarity s share a key with
probability 1 - (1 - s^rows)^bands (Broder 1997; Leskovec et al., ch. 3): 20 bands of 6 rows give
.998 at s = .8 and .27 at .5; what shares a key is a candidate and is then compared (`alike`).
FineWeb's 14 bands of 8 rows give .92 and .05. Texts are compared in normal form C; in scripts
without spaces a character counts as a word. A key depends on its document alone, so neither order
nor sharding changes a result. Hashes have 64 bits, the permuted values that are compared 32. Cost: 55 MB a
CPU-second, memory of one block and the signatures (measured).
"""

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl
import xxhash

from stages.curation.duplicates.settings import MinHash
from stages.curation.kernels.hashing import MULTIPLIER
from stages.curation.kernels.minhash import shingle_minima
from stages.curation.text.characters import (
    composed,
    mixed,
    ngram_hashes,
    segment_hashes,
    utf8,
    word_blocks,
)

# minima that are also keys by themselves: half of the documents that share half of their text have
# one in common, where bands only join what is like as a whole (losses.py)
SHARED = ("shared_0", "shared_1")


def permutations(params: MinHash) -> tuple[np.ndarray, np.ndarray]:
    """Odd factors and offsets (bands * rows,) of the maps x -> a x + b modulo 2^32."""
    drawn = np.random.default_rng(params.seed).integers(
        0, 1 << 32, size=(2, params.bands * params.rows), dtype=np.uint32
    )
    return drawn[0] | np.uint32(1), drawn[1]


def signatures(
    frames: pl.DataFrame | Iterable[pl.DataFrame], params: MinHash = MinHash()
) -> pl.DataFrame:
    """Columns `id`, `exact`, `words`, one `band_..` a band and SHARED (all UInt64), and `sketch`
    (array of UInt64): one row a document, in input order.

    `frames` may be a stream of batches; only their signatures are kept.
    """
    frames = [frames] if isinstance(frames, pl.DataFrame) else frames
    parts = [part for frame in frames for part in _frame_signatures(frame, params)]
    return pl.concat([_empty(params), *parts])


def _empty(params: MinHash) -> pl.DataFrame:
    return pl.DataFrame(
        schema={
            "id": pl.String,
            **dict.fromkeys(
                ["exact", "words", *params.band_names(), *SHARED], pl.UInt64
            ),
            "sketch": pl.Array(pl.UInt64, params.sketch_words),
        }
    )


def _frame_signatures(frame: pl.DataFrame, params: MinHash) -> Iterator[pl.DataFrame]:
    factors_and_offsets = permutations(params)
    exact = text_hashes(frame["text"])
    for rows, hashes, docs in word_blocks(composed(frame["text"])):
        whole = document_hashes(hashes, docs, exact[rows])
        minima = shingle_minima(
            hashes, docs, params.shingle_words, *factors_and_offsets
        )
        keys = band_keys(minima, docs, whole=whole, params=params)
        columns = {"id": frame["id"][rows], "exact": exact[rows], "words": whole}
        columns |= dict(zip(params.band_names(), keys, strict=True))
        columns |= _shared_keys(minima, docs, whole, params)
        sketch = pl.Series(
            sketches(minima, params), dtype=pl.Array(pl.UInt64, params.sketch_words)
        )
        yield pl.DataFrame({**columns, "sketch": sketch})


def _shared_keys(
    minima: np.ndarray, docs: np.ndarray, whole: np.ndarray, params: MinHash
) -> dict[str, np.ndarray]:
    """Two minima as keys; a document without shingles has its own."""
    short = np.diff(docs) < params.shingle_words
    values = (minima[:, min(at, minima.shape[1] - 1)] for at in range(len(SHARED)))
    return {
        name: np.where(short, whole, mixed(column.astype(np.uint64)))
        for name, column in zip(SHARED, values, strict=True)
    }


def sketches(minima: np.ndarray, params: MinHash) -> np.ndarray:
    """The upper byte of each minimum, eight to a word (D, sketch_words)."""
    filled = np.zeros((len(minima), 8 * params.sketch_words), dtype=np.uint8)
    mixed_up = minima[:, : params.sketch_bytes] * np.uint32(0x9E3779B1)
    filled[:, : params.sketch_bytes] = mixed_up >> np.uint32(24)
    return filled.view("<u8")


def sketch_matrix(table: pl.DataFrame) -> np.ndarray:
    """The sketches of a table of signatures (D, sketch_words)."""
    width = table.schema["sketch"].shape[0]
    return np.ascontiguousarray(
        table["sketch"].to_numpy().reshape(-1, width), dtype=np.uint64
    )


def text_hashes(texts: pl.Series) -> np.ndarray:
    """xxh3 of each text as it stands (D,); a loop, but at 2 GB/s (measured)."""
    data, bounds = utf8(texts)
    view = data.data
    return np.fromiter(
        (
            xxhash.xxh3_64_intdigest(view[first:stop])
            for first, stop in itertools.pairwise(bounds.tolist())
        ),
        dtype=np.uint64,
        count=len(texts),
    )


def document_hashes(
    words: np.ndarray, docs: np.ndarray, exact: np.ndarray
) -> np.ndarray:
    """Hash of a document's words in order (D,); of its exact text where it has no word."""
    filled = np.flatnonzero(np.diff(docs))
    result = mixed(exact ^ np.uint64(0x5851F42D4C957F2D))
    result[filled] = mixed(segment_hashes(words, docs[filled]))
    return result


def shingles(
    words: np.ndarray, docs: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """(hash_S, doc_S): hashes of the n-word shingles and the first shingle of each document, S at the end.

    A document of fewer than n words has none.
    """
    per_doc = np.maximum(np.diff(docs) - n + 1, 0)
    bounds = np.concatenate([[0], np.cumsum(per_doc)])
    every = ngram_hashes(words, n)
    place = np.arange(bounds[-1]) + np.repeat(docs[:-1] - bounds[:-1], per_doc)
    return mixed(every[place]), bounds


def band_keys(
    minima: np.ndarray, docs: np.ndarray, whole: np.ndarray, params: MinHash
) -> np.ndarray:
    """Keys (bands, D). A document with fewer words than a shingle matches only documents of the same words."""
    keys = _banded(minima.T, params)
    short = np.diff(docs) < params.shingle_words
    keys[:, short] = whole[short]
    return keys


def _banded(minima: np.ndarray, params: MinHash) -> np.ndarray:
    """One 64-bit key for the rows of each band (bands, D)."""
    keys = np.zeros((params.bands, minima.shape[1]), dtype=np.uint64)
    for row in range(params.rows):
        keys = mixed(keys + minima[row :: params.rows] + MULTIPLIER)
    return keys
