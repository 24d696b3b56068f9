"""Hashed words in a space that is fitted once and then holds for any text: TF-IDF, reduced by a
truncated SVD.

Question: where does a document lie, when not all documents can be looked at together? Input: a
sample of documents to fit to, then any documents. Output: a row of numbers each (n, d) float32, the
same whatever else is in the batch. It is what embeddings.hashed_words does in one call, with the
words of minhash.py and quality.py in place of scikit-learn's. Cost: at 128 columns, fitting to 16
MB of text 5.5 CPU-seconds, embedding 52 MB a CPU-second (measured), a matrix of 34 MB. Fails as
hashed_words does: it sees words only, and words that the sample does not hold count for nothing.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix, diags_array
from threadpoolctl import threadpool_limits

from stages.curation.scores.quality import features
from stages.curation.scores.settings import Quality
from stages.foundation.errors import InputError
from stages.foundation.files import whole_file

# assumed: 65,536 words, with few that matter under one hash
COUNTS = Quality(hash_bits=16, ngram_words=1)
Embedder = Callable[[pl.DataFrame], np.ndarray]  # documents -> (n, d)


def fit_space(frame: pl.DataFrame, dimensions: int, seed: int = 0) -> np.ndarray:
    """The matrix (2^16, d) from word counts to the space; d is `dimensions`, or less where the sample is smaller.

    >>> from stages.curation.reading.documents import documents
    >>> texts = ["team match goal", "goal coach team", "bank rate stock", "stock bond bank"]
    >>> sample = documents(texts, list("abcd"), "p")
    >>> rows = embed_words(sample, fit_space(sample, 2))
    >>> rows.shape
    (4, 2)
    """
    from sklearn.decomposition import TruncatedSVD  # takes a second to import
    from sklearn.preprocessing import normalize

    counts = features(frame, COUNTS)
    if min(counts.shape) < 2:
        raise InputError(
            f"a space of words cannot be fitted to {frame.height} documents; give more,"
            " or leave the semantic search out"
        )
    held = np.bincount(counts.indices, minlength=counts.shape[1])
    # smoothed idf, as scikit-learn's
    rarity = np.where(held > 0, np.log((1 + frame.height) / (1 + held)) + 1, 0.0)
    weighted = normalize(csr_matrix(counts @ diags_array(rarity), dtype=np.float32))
    # texts that differ in no word have no variance to explain; a limit holds for the
    # libraries that are loaded, so one set by the caller would not hold for scikit-learn's
    with np.errstate(invalid="ignore"), threadpool_limits(1):
        model = TruncatedSVD(min(dimensions, frame.height), random_state=seed).fit(
            weighted
        )
    return (rarity[:, None] * model.components_.T).astype(np.float32)


def embed_words(frame: pl.DataFrame, space: np.ndarray) -> np.ndarray:
    """Documents in the space (n, d); a row depends on its document alone."""
    counts = features(frame, COUNTS)
    return np.asarray(csr_matrix(counts, dtype=np.float32) @ space, dtype=np.float32)


def save_space(space: np.ndarray, path: Path) -> None:
    with whole_file(path) as temporary, open(temporary, "wb") as file:
        np.save(file, space)


def space_embedder(path: Path) -> Embedder:
    """Embeds with a space that was saved."""
    space = np.load(path)
    return lambda frame: embed_words(frame, space)
