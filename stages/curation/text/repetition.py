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
from stages.curation.text.characters import Block
from stages.curation.text.words import Words

TOP_LENGTHS = (2, 3, 4)
DUP_LENGTHS = (5, 6, 7, 8, 9, 10)


def repetition_measures(
    block: Block, words: Words, top_min_count: int = 2, greedy: bool = False
) -> dict[str, np.ndarray]:
    """`top_2_gram_frac` .. `top_4_gram_frac`, `dup_5_gram_frac` .. `dup_10_gram_frac`, each (D,)."""
    n_chars = np.maximum(np.diff(block.doc_starts) - 1, 1)
    lengths = np.concatenate([[0], np.cumsum(words.lengths)])
    shares = (
        ngram_chars(words.hashes, lengths, words.docs, top_min_count, greedy) / n_chars
    )
    names = [
        *(f"top_{n}_gram_frac" for n in TOP_LENGTHS),
        *(f"dup_{n}_gram_frac" for n in DUP_LENGTHS),
    ]
    return dict(zip(names, shares, strict=True))
