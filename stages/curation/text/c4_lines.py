"""Which lines C4 keeps, and what a line that gets so far does to its document.

Question: what would C4 leave of a page? The paper (Raffel et al. 2020, section 2.2) lists the
rules, the code that made the data set (tensorflow_datasets, c4_utils.clean_page) gives their order,
and that order is followed here: a line goes for a word of over 1000 characters, for its end once
citations such as [3] are cut out, or for fewer than three words; of the others one with "lorem
ipsum" drops the page; one with "javascript" goes; one with { drops the page; one with a policy
phrase goes. So a curly bracket in a line that goes anyhow drops nothing, though the paper says "any
page". Lines end wherever `str.splitlines` ends them. `any_end` keeps lines without end mark, as
FineWeb does.
"""

import re
from dataclasses import dataclass, replace

import numpy as np

from stages.curation.kernels.lines import with_newlines
from stages.curation.text.characters import Block
from stages.curation.text.lines import (
    FOREIGN_TERMINAL,
    Lines,
    ends_in_ellipsis,
    is_one_of,
    lines_of,
)

MIN_WORDS, MAX_WORD_CHARS = 3, 1000
END_MARKS = ".?!\"'"
POLICY_PHRASES = (
    b"terms of use",
    b"privacy policy",
    b"cookie policy",
    b"uses cookies",
    b"use of cookies",
    b"use cookies",
)
CITATION = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")
C4_PHRASES = (*POLICY_PHRASES, b"lorem ipsum", b"javascript")


@dataclass(frozen=True)
class C4Lines:
    """Verdicts on lines (L,) as C4 cuts them, before and without the rule on ends."""

    lines: Lines
    fits: np.ndarray  # enough words, none too long
    ended: np.ndarray  # in an end mark and not in an ellipsis
    lorem: np.ndarray
    curly: np.ndarray
    script: np.ndarray  # "javascript"
    policy: np.ndarray
    sentences: np.ndarray  # at least one

    def measures(
        self, any_end: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(lines kept (L,); lines with lorem ipsum, lines with {, sentences kept, each (D,)) where
        a line gets so far.
        """
        reached = self.fits if any_end else self.fits & self.ended
        plain = reached & ~self.script
        kept = plain & ~self.policy
        count = self.lines.count
        return (
            kept,
            count(reached & self.lorem),
            count(plain & self.curly),
            count(kept * self.sentences),
        )


def c4_lines(
    block: Block, flags: np.ndarray, lines: Lines, found: dict[bytes, np.ndarray]
) -> C4Lines:
    """The verdicts; `found` holds the places of C4_PHRASES, `lines` are those between newlines."""
    lines = _all_lines(block, flags, lines)
    marks = END_MARKS + FOREIGN_TERMINAL if block.writing else END_MARKS
    ended = is_one_of(block.codes[lines.last], marks) & ~ends_in_ellipsis(
        block.codes, lines.last
    )
    for line in np.flatnonzero(block.codes[lines.last] == ord("]")).tolist():
        spelled = CITATION.sub(
            "",
            "".join(
                map(chr, block.codes[lines.first[line] : lines.last[line] + 1].tolist())
            ),
        )
        ended[line] = spelled.endswith(tuple(marks)) and not spelled.endswith("...")
    return C4Lines(
        lines,
        fits=(lines.n_words >= MIN_WORDS) & (lines.longest <= MAX_WORD_CHARS),
        ended=ended,
        lorem=lines.holding(found[b"lorem ipsum"]),
        curly=lines.holding(np.flatnonzero(block.codes == ord("{"))),
        script=lines.holding(found[b"javascript"]),
        policy=policy_lines(lines, found),
        sentences=np.maximum(lines.sentences, 1),
    )


def _all_lines(block: Block, flags: np.ndarray, lines: Lines) -> Lines:
    codes = with_newlines(block.codes)
    if codes is None:
        return lines
    return lines_of(replace(block, codes=codes), flags)


def policy_lines(lines: Lines, found: dict[bytes, np.ndarray]) -> np.ndarray:
    """Lines with a policy phrase (L,)."""
    return np.logical_or.reduce(
        [lines.holding(found[phrase]) for phrase in POLICY_PHRASES]
    )
