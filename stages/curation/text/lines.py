"""Lines and paragraphs of a block, and what Gopher's and FineWeb's rules measure on them.

A line ends at a newline; line measures leave blank lines out (as FineWeb does), so trailing newlines change nothing.
A paragraph is what stands between blank lines. A copy is every occurrence after the first in the same document.
`datatrove_line_measures` holds what datatrove counts differently.
"""

from dataclasses import dataclass

import numpy as np

from stages.curation.kernels.lines import copies, joined, line_table
from stages.curation.text.characters import Block

SHORT_LINE_CHARS = 30  # FineWeb
LONG_LINE_CHARS = 200  # C4's paragraph rule
BULLETS = "•-"
SCRIPT_STOPS = "。！？؟।॥"  # full stops of other scripts
# FineWeb: C4's end marks, here with other quotation marks and scripts
TERMINAL = ".?!\"'…”’»" + SCRIPT_STOPS
# end marks of lines in other scripts: Arabic, Armenian, Burmese, Khmer, Tibetan, Ethiopic, and what closes a quotation
FOREIGN_TERMINAL = TERMINAL + "؟۔։။។៕།༎።፧｡…」』）"


@dataclass(frozen=True)
class Lines:
    """The lines of a block that are not blank (L of them); `first` and `last` are their visible ends."""

    starts: np.ndarray
    ends: np.ndarray
    first: np.ndarray
    last: np.ndarray
    docs: np.ndarray  # (L,) document of each line
    opens: np.ndarray  # bool: first line of a paragraph
    hashes: np.ndarray  # of the whole line, spaces too
    tails: np.ndarray  # of the letters it ends in
    n_words: np.ndarray  # between spaces
    longest: np.ndarray  # characters of the longest word
    sentences: np.ndarray  # pieces with a letter or digit between end marks
    upper: np.ndarray  # upper-case characters
    digits: np.ndarray
    n_docs: int

    @property
    def n_chars(self) -> np.ndarray:
        return self.ends - self.starts

    def share(self, mask: np.ndarray) -> np.ndarray:
        """Share of each document's lines where the mask holds (D,)."""
        return self.count(mask) / np.maximum(
            np.bincount(self.docs, minlength=self.n_docs), 1
        )

    def count(self, values: np.ndarray) -> np.ndarray:
        """Sum of a value of each line over each document (D,)."""
        return np.bincount(self.docs, weights=values, minlength=self.n_docs)

    def holding(self, places: np.ndarray) -> np.ndarray:
        """Lines that hold one of these rising places, which lie in lines that are not blank (L,)."""
        held = np.zeros(len(self.ends), dtype=np.bool_)
        held[np.searchsorted(self.ends, places)] = True
        return held


def lines_of(block: Block, flags: np.ndarray, blank: bool = False) -> Lines:
    """The lines; with `blank` those that hold only spaces stay, but no empty one, and paragraphs
    end only at empty ones.
    """
    codes = block.codes.astype(np.uint32, copy=False)
    breaks = np.flatnonzero(block.codes == 10)  # each document ends with one
    table, hashes, tails = line_table(codes, flags, len(breaks), block.writing)
    ends, first, last, n_words, longest, sentences, upper, digits = table
    starts = np.concatenate([[0], ends[:-1] + 1])
    docs = np.searchsorted(block.doc_starts, starts, side="right") - 1
    filled = starts < ends if blank else first < ends
    opens = np.ones(len(starts), dtype=np.bool_)
    opens[1:] = ~filled[:-1] | (docs[1:] != docs[:-1])
    return Lines(
        starts=starts[filled],
        ends=ends[filled],
        first=first[filled],
        last=last[filled],
        docs=docs[filled],
        opens=opens[filled],
        hashes=hashes[filled],
        tails=tails[filled],
        n_words=n_words[filled],
        longest=longest[filled],
        sentences=sentences[filled],
        upper=upper[filled],
        digits=digits[filled],
        n_docs=block.n_docs,
    )


def line_measures(
    block: Block, lines: Lines, n_words: np.ndarray, shorter: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Measures of Gopher's and FineWeb's line rules (D,); shares unless the name says otherwise.

    `shorter` (D,) scales the lengths of short and long lines for languages that need fewer characters.
    """
    scale = 1 if shorter is None else shorter[lines.docs]
    terminal = FOREIGN_TERMINAL if block.writing else TERMINAL
    n_chars = np.maximum(np.diff(block.doc_starts) - 1, 1)
    breaks = (
        np.diff(np.searchsorted(np.flatnonzero(block.codes == 10), block.doc_starts))
        - 1
    )
    copy = copies(lines.hashes, lines.docs)
    copied = lines.count(copy * lines.n_chars)
    return {
        "dup_line_frac": lines.share(copy),
        "dup_line_char_frac": copied / n_chars,
        **_paragraph_measures(lines, n_chars),
        "bullet_lines_frac": lines.share(is_one_of(block.codes[lines.first], BULLETS)),
        "ellipsis_lines_frac": lines.share(ends_in_ellipsis(block.codes, lines.last)),
        "line_punct_frac": lines.share(is_one_of(block.codes[lines.last], terminal)),
        "short_line_frac": lines.share(lines.n_chars <= SHORT_LINE_CHARS * scale),
        "char_duplicates_frac": copied / np.maximum(n_chars - breaks, 1),
        "new_lines_per_word": breaks / np.maximum(n_words, 1),
        "long_lines": lines.count(lines.n_chars >= LONG_LINE_CHARS * scale),
    }


def datatrove_line_measures(
    block: Block, flags: np.ndarray, lines: Lines
) -> dict[str, np.ndarray]:
    """The measures that datatrove 0.10 counts in another way: lines of spaces are lines for
    Gopher's rules, paragraphs end at empty lines only, and FineWeb's end marks leave out quotation
    marks, ellipses and anything before a space.
    """
    codes, n_chars = block.codes, np.maximum(np.diff(block.doc_starts) - 1, 1)
    spaced = lines_of(block, flags, blank=True)
    # an empty text before the first newline
    head = (codes[block.doc_starts[:-1]] == 10).astype(np.int64)
    tail = (codes[np.maximum(block.doc_starts[1:] - 2, 0)] == 10) & (n_chars > 1)
    n_lines = np.maximum(
        np.bincount(spaced.docs, minlength=block.n_docs) + head + tail, 1
    )
    copy = copies(spaced.hashes, spaced.docs)
    breaks = np.diff(np.searchsorted(np.flatnonzero(codes == 10), block.doc_starts)) - 1
    every = np.maximum(breaks + ~tail, 1)
    return {
        "dup_line_frac": (spaced.count(copy) + (head + tail == 2)) / n_lines,
        "dup_line_char_frac": spaced.count(copy * spaced.n_chars) / n_chars,
        **_paragraph_measures(spaced, n_chars),
        "bullet_lines_frac": (
            lines.count(is_one_of(codes[lines.first], BULLETS)) / every
        ),
        "ellipsis_lines_frac": lines.count(ends_in_ellipsis(codes, lines.last)) / every,
        "line_punct_frac": lines.share(
            is_one_of(codes[lines.ends - 1], ".?!" + SCRIPT_STOPS)
        ),
    }


def _paragraph_measures(lines: Lines, n_chars: np.ndarray) -> dict[str, np.ndarray]:
    opens = np.flatnonzero(lines.opens)
    closes = (
        np.concatenate([opens[1:] - 1, [len(lines.docs) - 1]]) if len(opens) else opens
    )
    docs, length = lines.docs[opens], lines.ends[closes] - lines.starts[opens]
    copy = copies(joined(lines.hashes, lines.opens), docs)
    n_paragraphs = np.maximum(np.bincount(docs, minlength=lines.n_docs), 1)
    return {
        "dup_para_frac": (
            np.bincount(docs, weights=copy, minlength=lines.n_docs) / n_paragraphs
        ),
        "dup_para_char_frac": (
            np.bincount(docs, weights=copy * length, minlength=lines.n_docs) / n_chars
        ),
    }


def is_one_of(codes: np.ndarray, chars: str) -> np.ndarray:
    """Whether each code point is one of these characters."""
    found = codes == ord(chars[0])
    for char in chars[1:]:
        found |= codes == ord(char)
    return found


def ends_in_ellipsis(codes: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Whether '...' or '…' ends at each place."""
    # from 0 to the block's last newline
    dots = (codes[last] == 46) & (codes[last - 1] == 46) & (codes[last - 2] == 46)
    return dots | (codes[last] == ord("…"))
