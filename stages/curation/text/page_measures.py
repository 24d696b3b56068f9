"""What C4's and RefinedWeb's line rules find in a page, counted per document without rewriting it.

C4's rules are in `c4_lines`. RefinedWeb (Penedo et al. 2023, appendix G.2; cut-offs and word lists
from the open reproduction in DCLM, Li et al. 2024) drops lines that are mostly upper case, only digits, a counter
("3 likes"), of one word, or a navigation phrase. `cleaning` uses the same verdicts to rewrite.
"""

import re
from functools import cache

import numpy as np

from stages.curation.kernels.lines import line_table
from stages.curation.kernels.phrases import phrase_places
from stages.curation.text.c4_lines import C4_PHRASES, C4Lines, c4_lines, policy_lines
from stages.curation.text.characters import Block
from stages.curation.text.lines import Lines

MAX_UPPER, NAVIGATION_WORDS = 0.5, 10
COUNTED = (
    "likes shares comments retweets reposts quotes bookmarks upvotes downvotes"
    " downloads views followers".split()
)
COUNTER = re.compile(rf"\W*\d[\d.,]*[KkMmBb]?\s+(?:{'|'.join(COUNTED)})\W*")
NAVIGATION = re.compile(r"sign-in.*|.*read more\.\.\.|.*items in cart.*", re.IGNORECASE)
NAVIGATION_PHRASES = (b"sign-in", b"read more...", b"items in cart")
REFINEDWEB_LINES = ("upper", "digits", "counter", "one_word", "navigation")


def page_measures(
    block: Block, flags: np.ndarray, lines: Lines
) -> dict[str, np.ndarray]:
    """Measures of C4's page rules and RefinedWeb's share of removed words (D,)."""
    found = phrase_places(block.codes, (*C4_PHRASES, *NAVIGATION_PHRASES))
    removed = np.logical_or.reduce(
        list(refinedweb_line_verdicts(block, lines, found).values())
    )
    longest = np.zeros(lines.n_docs)
    np.maximum.at(longest, lines.docs, lines.longest)
    return {
        **c4_measures(c4_lines(block, flags, lines=lines, found=found)),
        "longest_word": longest,
        "policy_paragraphs_frac": _policy_paragraphs(lines, policy_lines(lines, found)),
        "refinedweb_removed_words_frac": (
            lines.count(removed * lines.n_words)
            / np.maximum(lines.count(lines.n_words), 1)
        ),
    }


def c4_measures(found: C4Lines) -> dict[str, np.ndarray]:
    """Lines and sentences of C4's order (D,), once as C4 and once without its rule on the ends of lines."""
    values: dict[str, np.ndarray] = {}
    for suffix, any_end in (("", False), ("_any_end", True)):
        kept, lorem, curly, sentences = found.measures(any_end)
        values |= {
            f"c4_lorem_lines{suffix}": lorem,
            f"c4_curly_lines{suffix}": curly,
            f"c4_sentences{suffix}": sentences,
        }
        values |= {} if any_end else {"c4_kept_lines_frac": found.lines.share(kept)}
    return values


def _policy_paragraphs(lines: Lines, policy: np.ndarray) -> np.ndarray:
    """Share of paragraphs with a policy phrase (D,)."""
    first = np.flatnonzero(np.diff((np.cumsum(lines.opens) - 1)[policy], prepend=-1))
    return np.bincount(lines.docs[policy][first], minlength=lines.n_docs) / np.maximum(
        lines.count(lines.opens), 1
    )


def refinedweb_line_verdicts(
    block: Block, lines: Lines, found: dict[bytes, np.ndarray]
) -> dict[str, np.ndarray]:
    """For each name of REFINEDWEB_LINES, which lines it removes (L,); `found` holds the places of
    NAVIGATION_PHRASES.
    """
    few = lines.n_words <= NAVIGATION_WORDS
    phrases = np.zeros_like(few)
    for phrase in NAVIGATION_PHRASES:
        phrases |= lines.holding(found[phrase])
    counters = np.flatnonzero(
        few & (lines.digits > 0) & np.isin(lines.tails, _counted_hashes())
    )
    return {
        "upper": lines.upper / lines.n_chars > MAX_UPPER,
        "digits": lines.digits == lines.n_chars,
        "counter": _matching(block, lines, among=counters, pattern=COUNTER),
        "one_word": lines.n_words < 2,
        "navigation": _matching(
            block, lines, among=np.flatnonzero(few & phrases), pattern=NAVIGATION
        ),
    }


def _matching(
    block: Block, lines: Lines, among: np.ndarray, pattern: re.Pattern
) -> np.ndarray:
    matched = np.zeros(len(lines.ends), dtype=np.bool_)
    for line in among.tolist():
        codes = block.codes[lines.first[line] : lines.last[line] + 1]
        matched[line] = pattern.fullmatch("".join(map(chr, codes.tolist()))) is not None
    return matched


@cache
def _counted_hashes() -> np.ndarray:
    """Hashes that `line_kernel` gives to the words in COUNTED at the end of a line."""
    codes = np.array(
        [ord(char) for word in COUNTED for char in f"{word}\n"], dtype=np.uint32
    )
    return line_table(
        codes, np.where(codes == 10, 2, 5).astype(np.uint8), len(COUNTED)
    )[2]
