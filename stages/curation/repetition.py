"""Gopher's n-gram rules: how much of a document its most common n-gram, and its repeated n-grams, take up.

Definitions (Rae et al. 2021, table A1). top n: characters of the most common n-gram times its count. dup n: characters
in n-grams that occurred before, each character once. Both over the characters of the document. An n-gram that occurs
once is no repetition: datatrove lets it fire all the same, which drops documents of up to 27 words; set
`top_min_count` to 1 for that behaviour.
A repeated n-gram holds repeated (n-1)-grams, so each length looks only at places that the length before it left.
Cost: half the time of all rules (measured).
"""

import numpy as np
import polars as pl

from stages.curation.characters import MULTIPLIER, Block, mixed
from stages.curation.words import Words

TOP_LENGTHS = (2, 3, 4)
DUP_LENGTHS = (5, 6, 7, 8, 9, 10)
SALT = np.uint64(0xA0761D6478BD642F)  # far from any code point: the hash of a one-letter word is mixed(code point)


def repetition_measures(block: Block, words: Words, top_min_count: int = 2) -> dict[str, np.ndarray]:
    """`top_2_gram_frac` .. `top_4_gram_frac`, `dup_5_gram_frac` .. `dup_10_gram_frac`, each (D,)."""
    n_chars = np.maximum(np.diff(block.doc_starts) - 1, 1)
    owner = np.repeat(np.arange(block.n_docs), words.per_doc)
    salt = mixed(owner.astype(np.uint64) + SALT)
    lengths = np.concatenate([[0], np.cumsum(words.lengths)])
    measures, places = {}, np.arange(len(words.hashes))
    grams = words.hashes ^ salt  # of n words from each place; the salt keeps documents apart
    for n in range(TOP_LENGTHS[0], DUP_LENGTHS[-1] + 1):
        inside = places + n <= words.docs[owner[places] + 1]
        places = places[inside]
        grams = grams[inside] * MULTIPLIER + words.hashes[places + n - 1]
        repeated = pl.Series(grams).is_duplicated().to_numpy()
        places, grams = places[repeated], grams[repeated]
        keys = pl.Series(grams)
        if n in TOP_LENGTHS:
            chars = _top_chars(places, keys, owner, lengths, n, block.n_docs)
            measures[f"top_{n}_gram_frac"] = (chars if top_min_count > 1 else _or_first(chars, words, lengths, n)) / n_chars
        else:
            again = places[~keys.is_first_distinct().to_numpy()]
            measures[f"dup_{n}_gram_frac"] = _covered_chars(again, owner, lengths, n, block.n_docs) / n_chars
        longer = np.flatnonzero(np.diff(places) == 1)  # this and the next n-gram are repeated
        places, grams = places[longer], grams[longer]
    return measures


def _span_chars(places: np.ndarray, lengths: np.ndarray, n: int) -> np.ndarray:
    """Characters of the n words from each place, with one space between two."""
    return lengths[places + n] - lengths[places] + n - 1


def _top_chars(places: np.ndarray, keys: pl.Series, owner: np.ndarray, lengths: np.ndarray, n: int, n_docs: int) -> np.ndarray:
    """Count times characters of each document's most common n-gram, the earliest of equals; 0 without one (D,)."""
    grams = pl.DataFrame({"key": keys, "place": places}).group_by("key").agg(pl.len().alias("count"), pl.col("place").min())
    place, count = grams["place"].to_numpy(), grams["count"].to_numpy().astype(np.int64)
    docs = owner[place]
    order = np.lexsort((place, -count, docs))
    best = order[np.unique(docs[order], return_index=True)[1]]
    chars = np.zeros(n_docs)
    chars[docs[best]] = count[best] * _span_chars(place[best], lengths, n)
    return chars


def _or_first(chars: np.ndarray, words: Words, lengths: np.ndarray, n: int) -> np.ndarray:
    """Where nothing repeats, the characters of the first n-gram (datatrove's most common of one each)."""
    alone = np.flatnonzero((chars == 0) & (words.per_doc >= n))
    filled = chars.copy()
    filled[alone] = _span_chars(words.docs[alone], lengths, n)
    return filled


def _covered_chars(places: np.ndarray, owner: np.ndarray, lengths: np.ndarray, n: int, n_docs: int) -> np.ndarray:
    """Characters of the words in n-grams at these rising places, overlaps counted once (D,)."""
    if len(places) == 0:
        return np.zeros(n_docs)
    fresh = np.concatenate([places[:1], np.maximum(places[1:], places[:-1] + n)])
    return np.bincount(owner[places], weights=lengths[places + n] - lengths[fresh], minlength=n_docs)
