"""Shares of a document's characters: digits, spaces, brackets, URLs, and what is neither letter nor
digit.

Rules of NVIDIA's NeMo Curator (its defaults: .15, .25, .1, .2, .25). Its constants were read in
version 1: characters that count as alphanumeric are ASCII letters and digits, newlines and ? ! , .
so the space between words counts against. `foreign_non_alphanumeric` counts the letters of every script, for texts that
are not English. Cost: 200 MB a CPU-second (measured).
"""

import numpy as np

from stages.curation.kernels.characters import character_counts
from stages.curation.kernels.classes import WORD
from stages.curation.text.characters import Block
from stages.curation.text.lines import FOREIGN_TERMINAL, is_one_of


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


def foreign_non_alphanumeric(block: Block, flags: np.ndarray) -> np.ndarray:
    """Share of characters that are neither letters, marks or digits of any script, newlines nor end marks (D,)."""
    plain = (flags & WORD > 0) | is_one_of(block.codes, "\n,،、，" + FOREIGN_TERMINAL)
    places = np.flatnonzero(plain)
    n_plain = np.diff(np.searchsorted(places, block.doc_starts)) - 1
    return 1 - n_plain / np.maximum(np.diff(block.doc_starts) - 1, 1)
