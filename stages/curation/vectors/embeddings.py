"""Embeddings of documents: one interface, and the two makers that need no model of ours.

Question: where does a document lie among the others? Input: texts. Output: a row of numbers each
(n, d) float32. A maker is any callable `texts -> array`; stages/pools/embed_documents.py adds the
project's own proxies, which are the default where some are trained. `hashed_words` needs nothing
(TF-IDF of hashed words, reduced by a truncated SVD); `sentence_model` reads a sentence-transformers
model from a local folder and never the network (extra `embed`). Cost: hashed_words 2 MB of text a
CPU-second (measured), memory of one sparse row a document; a sentence model as large as it is, two
layers of 32 numbers that read 128 tokens 1.2 MB of text a CPU-second (measured). Fails:
hashed_words sees words only, so a paraphrase in other words is far away, and the SVD is fitted on
the given texts: embeddings of two calls cannot be compared; those of one `fit_hashed_words` can.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from stages.foundation.errors import InputError

Embed = Callable[[Sequence[str]], np.ndarray]
# assumed: enough to tell topics apart, small enough for one pass in memory
DIMENSIONS = 64
HASH_BITS = 15


@dataclass(frozen=True, eq=False)
class HashedWords:
    """A fitted maker: weights of words and directions learned from a sample, one space for all
    texts that come later.
    """

    weights: Any  # sklearn's TfidfTransformer and TruncatedSVD
    directions: Any

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """(n, d) float32."""
        return self.directions.transform(
            self.weights.transform(_word_counts(texts))
        ).astype(np.float32)


def fit_hashed_words(
    texts: Sequence[str], *, dimensions: int = DIMENSIONS, seed: int = 0
) -> tuple[HashedWords, np.ndarray]:
    """TF-IDF of hashed words, reduced to at most `dimensions` columns: the maker, and the rows of
    `texts` (n, d) float32.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfTransformer

    weights = TfidfTransformer(sublinear_tf=True)
    counts = weights.fit_transform(_word_counts(texts))
    directions = TruncatedSVD(
        min(dimensions, max(1, min(counts.shape) - 1)), random_state=seed
    )
    with threadpool_limits(1):  # else the numbers depend on the cores
        rows = directions.fit_transform(counts)
    return HashedWords(weights, directions), rows.astype(np.float32)


def _word_counts(texts: Sequence[str]):
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(
        n_features=1 << HASH_BITS, alternate_sign=False, norm=None, token_pattern=r"\w+"
    ).transform(texts)


def hashed_words(
    texts: Sequence[str], *, dimensions: int = DIMENSIONS, seed: int = 0
) -> np.ndarray:
    """Rows (n, d) of a maker fitted on the texts themselves.

    >>> hashed_words(["a cat sat", "a cat ran", "stocks fell"]).shape
    (3, 2)
    """
    return fit_hashed_words(texts, dimensions=dimensions, seed=seed)[1]


def sentence_model(
    folder: Path | str, *, batch: int = 64, device: str | None = None
) -> Embed:
    """A maker that runs the sentence-transformers model saved in `folder`; (n, d) of the model's own width.

    Of a longer text the model sees its first `max_seq_length` tokens, as its folder says.

    Needs the extra `embed`: `embed = sentence_model("models/minilm"); vectors = embed(texts)`.
    """
    folder = Path(folder)
    if not (folder / "modules.json").is_file():
        raise InputError(
            f"{folder}: no modules.json there; give the folder of a"
            " sentence-transformers model saved by its save()"
        )
    try:
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar
    except ImportError:
        raise InputError(
            "a sentence model needs sentence-transformers: pip install 'assay[embed]'"
        ) from None
    disable_progress_bar()
    try:
        model = SentenceTransformer(str(folder), device=device, local_files_only=True)
    except Exception as error:  # the library may raise anything over a broken folder; it is reported, not passed over
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{folder} cannot be loaded as a sentence-transformers model: {reason};"
            " save it again by its save()"
        ) from None

    def embed(texts: Sequence[str]) -> np.ndarray:
        found = model.encode(
            list(texts) or ["."],
            batch_size=batch,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        return np.asarray(found, dtype=np.float32)[: len(texts)]

    return embed


def embedded(embed: Embed, texts: Sequence[str]) -> np.ndarray:
    """What a maker gives for the texts, held to its contract: a finite row for every text (n, d)."""
    found = np.asarray(embed(texts), dtype=np.float32)
    if found.ndim != 2 or len(found) != len(texts) or not np.isfinite(found).all():
        raise InputError(
            f"the embedding of {len(texts)} texts has shape {found.shape}; it must be"
            " one row of finite numbers a text"
        )
    return found
