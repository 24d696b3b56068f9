"""What C4's and RefinedWeb's line rules find in a page, counted per document without rewriting it.

C4 (Raffel et al. 2020, section 2.2) drops lines that are too short, hold a word of over 1000 characters, mention
Javascript or a policy, or do not end in an end mark. RefinedWeb (Penedo et al. 2023, appendix G.2; cut-offs and word lists
from the open reproduction in DCLM, Li et al. 2024) drops lines that are mostly upper case, only digits, a counter
("3 likes"), of one word, or a navigation phrase. `line_verdicts` tells which lines; `cleaning` uses it to rewrite.
"""

import re
from functools import cache

import numpy as np

from stages.curation.characters import Block
from stages.curation.line_kernel import line_table
from stages.curation.lines import Lines, ends_in_ellipsis, is_one_of

C4_MIN_WORDS, C4_MAX_WORD_CHARS = 3, 1000
END_MARKS = ".?!\"'"
POLICY_PHRASES = (b"terms of use", b"privacy policy", b"cookie policy", b"uses cookies", b"use of cookies", b"use cookies")
MAX_UPPER, NAVIGATION_WORDS = 0.5, 10
COUNTED = "likes shares comments retweets reposts quotes bookmarks upvotes downvotes downloads views followers".split()
COUNTER = re.compile(rf"\W*\d[\d.,]*[KkMmBb]?\s+(?:{'|'.join(COUNTED)})\W*")
NAVIGATION = re.compile(r"sign-in.*|.*read more\.\.\.|.*items in cart.*", re.IGNORECASE)
NAVIGATION_PHRASES = (b"sign-in", b"read more...", b"items in cart")
REFINEDWEB_LINES = ("upper", "digits", "counter", "one_word", "navigation")


def page_measures(block: Block, lines: Lines) -> dict[str, np.ndarray]:
    """Measures of C4's page rules and RefinedWeb's share of removed words (D,)."""
    text = ascii_lower(block)
    policy = policy_lines(lines, text)
    fits, ended = c4_line_verdicts(block, lines, text, policy)
    sentences = np.maximum(lines.sentences, 1)
    removed = np.logical_or.reduce(list(refinedweb_line_verdicts(block, lines, text).values()))
    longest = np.zeros(lines.n_docs)
    np.maximum.at(longest, lines.docs, lines.longest)
    return {
        "c4_sentences": lines.count(sentences * (fits & ended)),
        "c4_sentences_any_end": lines.count(sentences * fits),
        "c4_kept_lines_frac": lines.share(fits & ended),
        "lorem_ipsum": doc_counts(block, places(text, b"lorem ipsum")),
        "curly_brackets": doc_counts(block, np.flatnonzero(block.codes == 123)),
        "longest_word": longest,
        "policy_paragraphs_frac": _policy_paragraphs(lines, policy),
        "refinedweb_removed_words_frac": lines.count(removed * lines.n_words) / np.maximum(lines.count(lines.n_words), 1),
    }


def _policy_paragraphs(lines: Lines, policy: np.ndarray) -> np.ndarray:
    """Share of paragraphs with a policy phrase (D,)."""
    first = np.unique((np.cumsum(lines.opens) - 1)[policy], return_index=True)[1]
    return np.bincount(lines.docs[policy][first], minlength=lines.n_docs) / np.maximum(lines.count(lines.opens), 1)


def policy_lines(lines: Lines, text: bytes) -> np.ndarray:
    """Lines with a policy phrase (L,)."""
    return np.logical_or.reduce([lines.holding(places(text, phrase)) for phrase in POLICY_PHRASES])


def c4_line_verdicts(block: Block, lines: Lines, text: bytes, policy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(the line may stay but for its end, it ends in an end mark), both (L,)."""
    fits = (lines.n_words >= C4_MIN_WORDS) & (lines.longest <= C4_MAX_WORD_CHARS)
    fits &= ~policy & ~lines.holding(places(text, b"javascript"))
    return fits, is_one_of(block.codes[lines.last], END_MARKS) & ~ends_in_ellipsis(block.codes, lines.last)


def refinedweb_line_verdicts(block: Block, lines: Lines, text: bytes) -> dict[str, np.ndarray]:
    """For each name of REFINEDWEB_LINES, which lines it removes (L,)."""
    few = lines.n_words <= NAVIGATION_WORDS
    phrases = np.zeros_like(few)
    for phrase in NAVIGATION_PHRASES:
        phrases |= lines.holding(places(text, phrase))
    counters = np.flatnonzero(few & (lines.digits > 0) & np.isin(lines.tails, _counted_hashes()))
    return {
        "upper": lines.upper / lines.n_chars > MAX_UPPER,
        "digits": lines.digits == lines.n_chars,
        "counter": _matching(block, lines, counters, COUNTER),
        "one_word": lines.n_words < 2,
        "navigation": _matching(block, lines, np.flatnonzero(few & phrases), NAVIGATION),
    }


def _matching(block: Block, lines: Lines, among: np.ndarray, pattern: re.Pattern) -> np.ndarray:
    matched = np.zeros(len(lines.ends), dtype=np.bool_)
    for line in among.tolist():
        codes = block.codes[lines.first[line] : lines.last[line] + 1]
        matched[line] = pattern.fullmatch("".join(map(chr, codes.tolist()))) is not None
    return matched


@cache
def _counted_hashes() -> np.ndarray:
    """Hashes that `line_kernel` gives to the words in COUNTED at the end of a line."""
    codes = np.array([ord(char) for word in COUNTED for char in f"{word}\n"], dtype=np.uint32)
    return line_table(codes, np.where(codes == 10, 2, 5).astype(np.uint8), len(COUNTED))[2]


def ascii_lower(block: Block) -> bytes:
    """One byte a character, lower case; characters outside ASCII are 127."""
    codes = block.codes if block.codes.dtype == np.uint8 else np.minimum(block.codes, 127).astype(np.uint8)
    return codes.tobytes().lower()


def places(text: bytes, phrase: bytes) -> np.ndarray:
    """Where a phrase stands, rising."""
    found, at = [], text.find(phrase)
    while at >= 0:
        found.append(at)
        at = text.find(phrase, at + 1)
    return np.array(found, dtype=np.int64)


def doc_counts(block: Block, rising: np.ndarray) -> np.ndarray:
    """How many of these rising places lie in each document (D,)."""
    return np.diff(np.searchsorted(rising, block.doc_starts)).astype(np.float64)
