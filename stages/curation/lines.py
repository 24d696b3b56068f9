"""Lines and paragraphs of a block, and what the rules measure on them.

A line ends at a newline; line measures leave blank lines out (as FineWeb does), so trailing newlines change nothing.
A paragraph is what stands between blank lines. A copy is every occurrence after the first in the same document.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from stages.curation.characters import SPACE, Block, mixed
from stages.curation.words import Words, span_hashes

SHORT_LINE_CHARS = 30  # FineWeb
LONG_LINE_CHARS = 200  # C4's paragraph rule
C4_MIN_WORDS, C4_MAX_WORD_CHARS = 3, 1000
BULLETS = "•-"
END_MARKS = ".?!\"'"  # C4
TERMINAL = END_MARKS + "…”’»。！？؟।॥"  # FineWeb, here with the full stops of other scripts
SENTENCE_ENDS = ".?!。！？"
C4_LINE_PHRASES = (b"javascript", b"terms of use", b"privacy policy", b"cookie policy", b"uses cookies", b"use of cookies", b"use cookies")


@dataclass(frozen=True)
class Lines:
    """The lines of a block that are not blank (L of them); `first` and `last` are their visible ends."""

    starts: np.ndarray
    ends: np.ndarray
    first: np.ndarray
    last: np.ndarray
    docs: np.ndarray  # (L,) document of each line
    opens: np.ndarray  # bool: first line of a paragraph
    n_docs: int

    def share(self, mask: np.ndarray) -> np.ndarray:
        """Share of each document's lines where the mask holds (D,)."""
        return self.count(mask) / np.maximum(np.bincount(self.docs, minlength=self.n_docs), 1)

    def count(self, values: np.ndarray) -> np.ndarray:
        """Sum of a value of each line over each document (D,)."""
        return np.bincount(self.docs, weights=values, minlength=self.n_docs)


def lines_of(block: Block, flags: np.ndarray) -> Lines:
    ends = np.flatnonzero(block.codes == 10)  # each document ends with one
    starts = np.concatenate([[0], ends[:-1] + 1])
    visible = np.flatnonzero((flags & SPACE) == 0)
    padded = np.concatenate([visible, [len(flags)]])
    before = np.searchsorted(visible, ends)
    first, last = padded[np.searchsorted(visible, starts)], padded[before - 1]
    filled = first < ends
    docs = np.searchsorted(block.doc_starts, starts, side="right") - 1
    opens = np.ones(len(starts), dtype=np.bool_)
    opens[1:] = ~filled[:-1] | (docs[1:] != docs[:-1])
    parts = (part[filled] for part in (starts, ends, first, last, docs, opens))
    return Lines(*parts, n_docs=block.n_docs)


def line_measures(block: Block, lines: Lines, sums: np.ndarray, n_words: np.ndarray) -> dict[str, np.ndarray]:
    """Measures of Gopher's and FineWeb's line rules (D,); shares unless the name says otherwise."""
    n_chars = np.maximum(np.diff(block.doc_starts) - 1, 1)
    breaks = np.diff(np.searchsorted(np.flatnonzero(block.codes == 10), block.doc_starts)) - 1
    length = lines.ends - lines.starts
    copy = _copies(span_hashes(sums, lines.starts, lines.ends), lines.docs)
    copied = lines.count(copy * length)
    last_code = block.codes[lines.last]
    return {
        "dup_line_frac": lines.share(copy),
        "dup_line_char_frac": copied / n_chars,
        **_paragraph_measures(lines, sums, n_chars),
        "bullet_lines_frac": lines.share(_is_one_of(block.codes[lines.first], BULLETS)),
        "ellipsis_lines_frac": lines.share(_ends_in_ellipsis(block.codes, lines.last)),
        "line_punct_frac": lines.share(_is_one_of(last_code, TERMINAL)),
        "short_line_frac": lines.share(length <= SHORT_LINE_CHARS),
        "char_duplicates_frac": copied / np.maximum(n_chars - breaks, 1),
        "new_lines_per_word": breaks / np.maximum(n_words, 1),
        "long_lines": lines.count(length >= LONG_LINE_CHARS),
    }


def _paragraph_measures(lines: Lines, sums: np.ndarray, n_chars: np.ndarray) -> dict[str, np.ndarray]:
    opens = np.flatnonzero(lines.opens)
    starts = lines.starts[opens]
    closes = np.concatenate([opens[1:] - 1, [len(lines.docs) - 1]]) if len(opens) else opens
    ends, docs = lines.ends[closes], lines.docs[opens]
    copy = _copies(span_hashes(sums, starts, ends), docs)
    n_paragraphs = np.maximum(np.bincount(docs, minlength=lines.n_docs), 1)
    return {
        "dup_para_frac": np.bincount(docs, weights=copy, minlength=lines.n_docs) / n_paragraphs,
        "dup_para_char_frac": np.bincount(docs, weights=copy * (ends - starts), minlength=lines.n_docs) / n_chars,
    }


def _copies(hashes: np.ndarray, docs: np.ndarray) -> np.ndarray:
    keys = hashes ^ mixed(docs.astype(np.uint64))
    return ~pl.Series(mixed(keys)).is_first_distinct().to_numpy()


def _is_one_of(codes: np.ndarray, chars: str) -> np.ndarray:
    found = codes == ord(chars[0])
    for char in chars[1:]:
        found |= codes == ord(char)
    return found


def _ends_in_ellipsis(codes: np.ndarray, last: np.ndarray) -> np.ndarray:
    dots = (codes[last] == 46) & (codes[last - 1] == 46) & (codes[last - 2] == 46)  # from 0 to the block's last newline
    return dots | (codes[last] == ord("…"))


def c4_measures(block: Block, flags: np.ndarray, lines: Lines, spaced: Words) -> dict[str, np.ndarray]:
    """Measures of C4's page rules (D,). `spaced` are whitespace words.

    Sentences are counted at . ? ! before a space, a quotation mark or the end of the line; a line has at least one.
    """
    text = _ascii_lower(block)
    fits = _line_counts(lines, spaced.starts) >= C4_MIN_WORDS
    fits &= _line_counts(lines, spaced.starts[spaced.lengths > C4_MAX_WORD_CHARS]) == 0
    for phrase in C4_LINE_PHRASES:
        fits &= _line_counts(lines, _places(text, phrase)) == 0
    codes = block.codes
    ended = _is_one_of(codes[lines.last], END_MARKS) & ~_ends_in_ellipsis(codes, lines.last)
    sentences = np.maximum(_line_counts(lines, _sentence_ends(codes, flags)), 1)
    return {
        "c4_sentences": lines.count(sentences * (fits & ended)),
        "c4_sentences_any_end": lines.count(sentences * fits),
        "c4_kept_lines_frac": lines.share(fits & ended),
        "lorem_ipsum": _doc_counts(block, _places(text, b"lorem ipsum")),
        "curly_brackets": _doc_counts(block, np.flatnonzero(codes == 123)),
    }


def _ascii_lower(block: Block) -> bytes:
    return np.minimum(block.codes, 127).astype(np.uint8).tobytes().lower()


def _places(text: bytes, phrase: bytes) -> np.ndarray:
    found, at = [], text.find(phrase)
    while at >= 0:
        found.append(at)
        at = text.find(phrase, at + 1)
    return np.array(found, dtype=np.int64)


def _sentence_ends(codes: np.ndarray, flags: np.ndarray) -> np.ndarray:
    marks = np.flatnonzero(_is_one_of(codes, SENTENCE_ENDS if codes.dtype != np.uint8 else SENTENCE_ENDS[:3]))
    after = marks + 1  # a block ends with a newline, so there is one
    return marks[((flags[after] & SPACE) > 0) | _is_one_of(codes[after], "\"'”’»")]


def _line_counts(lines: Lines, places: np.ndarray) -> np.ndarray:
    return np.searchsorted(places, lines.ends) - np.searchsorted(places, lines.starts)


def _doc_counts(block: Block, places: np.ndarray) -> np.ndarray:
    return np.diff(np.searchsorted(places, block.doc_starts)).astype(np.float64)
