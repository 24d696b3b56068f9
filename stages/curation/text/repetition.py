"""Gopher's n-gram rules: how much of a document its most common n-gram, and its repeated n-grams, take up.

Definitions (Rae et al. 2021, table A1). top n: characters of the most common n-gram times its count. dup n: characters
in n-grams that occurred before, each character once. Both over the characters of the document. An n-gram that occurs
once is no repetition: datatrove lets it fire all the same, which drops documents of up to 27 words; set
`top_min_count` to 1 for that behaviour. `greedy` is datatrove's count of repeated n-grams: a scan that jumps over each
repeat it finds and never sees the n-grams inside it, so it counts fewer.
Cost: 150 MB a CPU-second (measured); compiled once a machine.
"""

import numpy as np

from stages.curation.kernels.repetition import ngram_chars
from stages.curation.text.characters import Block, ngram_hashes
from stages.curation.text.words import Words

TOP_LENGTHS = (2, 3, 4)
DUP_LENGTHS = (5, 6, 7, 8, 9, 10)


def repetition_measures(
    block: Block,
    words: Words,
    top_min_count: int = 2,
    greedy: bool = False,
    word_units: float | None = None,
) -> dict[str, np.ndarray]:
    """`top_2_gram_frac` .. `top_4_gram_frac`, `dup_5_gram_frac` .. `dup_10_gram_frac`, each (D,).

    `word_units` is how many units of a script without spaces say as much as a word: an n-gram is then so many more.
    """
    n_chars = np.maximum(np.diff(block.doc_starts) - 1, 1)
    lengths = np.concatenate([[0], np.cumsum(words.lengths)])
    if word_units is None:
        chars = ngram_chars(words.hashes, lengths, words.docs, top_min_count, greedy)
    else:
        chars = _unit_ngram_chars(words, lengths, word_units)
    shares = chars / n_chars
    names = [
        *(f"top_{n}_gram_frac" for n in TOP_LENGTHS),
        *(f"dup_{n}_gram_frac" for n in DUP_LENGTHS),
    ]
    return dict(zip(names, shares, strict=True))


def _unit_ngram_chars(
    words: Words, lengths: np.ndarray, word_units: float
) -> np.ndarray:
    """Characters (9, D) for runs of units as long as 2 .. 10 words: before the loop counts n units, each gets the
    hash of the units up to the end of its run but n - 1.
    """
    rows, place = [], np.arange(len(words.hashes))
    left = np.repeat(words.docs[1:], words.per_doc) - place  # to the document's end
    for row, n in enumerate((*TOP_LENGTHS, *DUP_LENGTHS)):
        more = round(n * word_units) - n
        runs = words.hashes.copy()
        whole = np.flatnonzero(left > more)
        if more > 0 and len(whole):
            runs[whole] = ngram_hashes(words.hashes, more + 1)[whole]
        rows.append(ngram_chars(runs, lengths, words.docs, 2, False)[row])
    return np.array(rows)
