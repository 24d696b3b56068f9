"""Rewrites documents as C4 and RefinedWeb do: lines that break a line rule are cut out of the text.

Question: what is left of each document? Input: documents. Output: the documents with `text` rewritten, `lines_dropped`, and
`dropped`, why the whole document should go (null: it stays). The document rules of `rules` judge without rewriting: take the
one or the other. C4's order (its published code) decides what a dropped line can still do: a curly bracket or "lorem
ipsum" drops the document only in a line that is long enough and ends in an end mark; a citation such as [3] goes first.
Cost: 40 to 50 MB a CPU-second (measured).
"""

import re
from collections.abc import Callable, Iterator

import numpy as np
import polars as pl

from stages.curation.characters import Block, blocks
from stages.curation.lines import Lines, lines_of
from stages.curation.page_measures import (
    C4_MAX_WORD_CHARS,
    C4_MIN_WORDS,
    END_MARKS,
    ascii_lower,
    c4_line_verdicts,
    places,
    policy_lines,
    refinedweb_line_verdicts,
)
from stages.curation.spans import without_spans

CITATION = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")
MIN_SENTENCES = 5  # C4
MAX_REMOVED_WORDS = 0.05  # RefinedWeb, share of a document's words
Cleaned = tuple[list[str], np.ndarray, list[str | None]]  # texts, lines dropped, why the document should go


def c4_cleaned(frame: pl.DataFrame, *, any_end: bool = False, min_sentences: int = MIN_SENTENCES) -> pl.DataFrame:
    """Documents without the lines that C4 drops. `any_end` keeps lines without an end mark, as FineWeb does.

    `dropped` is lorem_ipsum, curly_bracket or too_few_sentences; such a document keeps its lines for a look.
    """
    return _rewritten(frame, lambda block, lines, texts: _c4(block, lines, texts, any_end, min_sentences))


def refinedweb_cleaned(frame: pl.DataFrame, *, max_removed: float = MAX_REMOVED_WORDS) -> pl.DataFrame:
    """Documents without the lines that RefinedWeb drops; `dropped` is removed_words where they held more of the words."""
    return _rewritten(frame, lambda block, lines, texts: _refinedweb(block, lines, texts, max_removed))


def _rewritten(frame: pl.DataFrame, clean: Callable[[Block, Lines, list[str]], Cleaned]) -> pl.DataFrame:
    parts = [pl.DataFrame(schema={"text": pl.String, "lines_dropped": pl.Int64, "dropped": pl.String})]
    for rows, block in blocks(frame["text"]):
        texts, dropped, reasons = clean(block, lines_of(block, block.flags()), frame["text"][rows].to_list())
        parts.append(pl.DataFrame({"text": texts, "lines_dropped": dropped.astype(np.int64), "dropped": pl.Series(reasons, dtype=pl.String)}))
    table = pl.concat(parts)
    frame = frame.with_columns(table["text"], table["lines_dropped"], table["dropped"])
    return frame.with_columns(n_chars=pl.col("text").str.len_chars().cast(pl.Int64)) if "n_chars" in frame.columns else frame


def _c4(block: Block, lines: Lines, texts: list[str], any_end: bool, min_sentences: int) -> Cleaned:
    lower = ascii_lower(block)
    policy = policy_lines(lines, lower)
    _, ended = c4_line_verdicts(block, lines, lower, policy)
    spelled = list(_stripped(block, lines, texts))
    for line in np.flatnonzero(lines.holding(np.flatnonzero(block.codes == ord("[")))).tolist():
        spelled[line] = CITATION.sub("", spelled[line])
        ended[line] = spelled[line].endswith(tuple(END_MARKS)) and not spelled[line].endswith("...")
    reached = (lines.n_words >= C4_MIN_WORDS) & (lines.longest <= C4_MAX_WORD_CHARS) & (ended | any_end)
    lorem = lines.count(reached & lines.holding(places(lower, b"lorem ipsum"))) > 0
    reached &= ~lines.holding(places(lower, b"javascript"))
    curly = lines.count(reached & lines.holding(np.flatnonzero(block.codes == ord("{")))) > 0
    kept = reached & ~policy
    few = lines.count(kept * np.maximum(lines.sentences, 1)) < min_sentences
    reasons = ["lorem_ipsum" if a else "curly_bracket" if b else "too_few_sentences" if c else None for a, b, c in zip(lorem, curly, few, strict=True)]
    bounds = np.searchsorted(lines.docs, np.arange(block.n_docs + 1)).tolist()
    joined = ["\n".join(spelled[line] for line in range(first, stop) if kept[line]).strip() for first, stop in zip(bounds, bounds[1:], strict=False)]
    return joined, lines.count(~kept), reasons


def _stripped(block: Block, lines: Lines, texts: list[str]) -> Iterator[str]:
    first, last = lines.first - block.doc_starts[lines.docs], lines.last + 1 - block.doc_starts[lines.docs]
    for doc, start, stop in zip(lines.docs.tolist(), first.tolist(), last.tolist(), strict=True):
        yield texts[doc][start:stop]


def _refinedweb(block: Block, lines: Lines, texts: list[str], max_removed: float) -> Cleaned:
    removed = np.logical_or.reduce(list(refinedweb_line_verdicts(block, lines, ascii_lower(block)).values()))
    share = lines.count(removed * lines.n_words) / np.maximum(lines.count(lines.n_words), 1)
    offsets = block.doc_starts[lines.docs[removed]]
    cut = without_spans(texts, lines.docs[removed], lines.starts[removed] - offsets, lines.ends[removed] + 1 - offsets)
    return cut, lines.count(removed), ["removed_words" if part > max_removed else None for part in share]
