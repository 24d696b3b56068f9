"""Shares of a document's characters: digits, spaces, brackets, URLs, and what is neither letter nor
digit.

Rules of NVIDIA's NeMo Curator (its defaults: .15, .25, .1, .2, .25). Its constants were read in
version 1: characters that count as alphanumeric are ASCII letters and digits, newlines and ? ! , .
so the space between words counts against. Cost: 200 MB a CPU-second (measured).
"""

import numpy as np

from stages.curation.kernels.characters import character_counts
from stages.curation.text.characters import Block


def character_measures(block: Block, flags: np.ndarray) -> dict[str, np.ndarray]:
    """Shares of the characters of each document (D,)."""
    n_chars = np.maximum(np.diff(block.doc_starts) - 1, 1)
    digits, spaces, brackets, plain, address = character_counts(
        block.codes.astype(np.uint32, copy=False), flags, block.doc_starts
    )
    return {
        "digit_frac": digits / n_chars,
        "space_frac": spaces / n_chars,
        "bracket_frac": brackets / n_chars,
        "non_alphanumeric_frac": 1 - plain / n_chars,
        "url_frac": address / n_chars,
    }
