"""Rewrites documents as C4 and RefinedWeb do: lines that break a line rule are cut out of the text.

Question: what is left of each document? Input: documents. Output: the documents with `text`
rewritten, `lines_dropped`, and `dropped`, why the whole document should go (null: it stays). The
document rules of `rules` judge without rewriting: take the one or the other. C4's order is that of
its published code, see `c4_lines`. In a script without spaces each character counts as a word, one
whose sentences end in no mark (Thai, Lao) keeps lines without one and needs no number of sentences.
Cost: 40 to 50 MB a CPU-second (measured).
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import polars as pl

from stages.curation.kernels.phrases import phrase_places
from stages.curation.text.c4_lines import C4_PHRASES, CITATION, c4_lines
from stages.curation.text.characters import Block, blocks
from stages.curation.text.lines import Lines, lines_of
from stages.curation.text.page_measures import (
    NAVIGATION_PHRASES,
    refinedweb_line_verdicts,
)
from stages.curation.text.scripts import NO_ENDS, main_scripts, writing
from stages.curation.text.spans import without_spans

MIN_SENTENCES = 5  # C4
MAX_REMOVED_WORDS = 0.05  # RefinedWeb, share of a document's words
# texts, lines dropped, why the document should go
Cleaned = tuple[list[str], np.ndarray, list[str | None]]


def c4_cleaned(
    frame: pl.DataFrame, *, any_end: bool = False, min_sentences: int = MIN_SENTENCES
) -> pl.DataFrame:
    """Documents without the lines that C4 drops. `any_end` keeps lines without an end mark, as FineWeb does.

    `dropped` is lorem_ipsum, curly_bracket or too_few_sentences; such a document keeps its lines for a look.
    """
    return _rewritten(
        frame,
        lambda block, flags, lines, texts: _c4(
            block,
            flags,
            lines=lines,
            texts=texts,
            any_end=any_end,
            min_sentences=min_sentences,
        ),
    )


def refinedweb_cleaned(
    frame: pl.DataFrame, *, max_removed: float = MAX_REMOVED_WORDS
) -> pl.DataFrame:
    """Documents without the lines that RefinedWeb drops; `dropped` is removed_words where they held
    more of the words.
    """
    return _rewritten(
        frame,
        lambda block, flags, lines, texts: _refinedweb(
            block, flags, lines=lines, texts=texts, max_removed=max_removed
        ),
    )


def _rewritten(
    frame: pl.DataFrame, clean: Callable[[Block, np.ndarray, Lines, list[str]], Cleaned]
) -> pl.DataFrame:
    scripts = np.array(main_scripts(frame["text"]), dtype=object)
    parts = [
        pl.DataFrame(
            schema={"text": pl.String, "lines_dropped": pl.Int64, "dropped": pl.String}
        )
    ]
    places = []
    for script in sorted(set(scripts.tolist())):
        places.append(np.flatnonzero(scripts == script))
        texts = frame["text"].gather(places[-1])
        parts += _cleaned_blocks(texts, script, clean)
    table = pl.concat(parts)
    if len(places) > 1:
        table = table[np.argsort(np.concatenate(places))]
    frame = frame.with_columns(table["text"], table["lines_dropped"], table["dropped"])
    return (
        frame.with_columns(n_chars=pl.col("text").str.len_chars().cast(pl.Int64))
        if "n_chars" in frame.columns
        else frame
    )


def _cleaned_blocks(
    texts: pl.Series, script: str, clean: Callable[..., Cleaned]
) -> Iterator[pl.DataFrame]:
    for rows, block in blocks(texts):
        block = replace(block, writing=writing(script), ends=script not in NO_ENDS)
        flags = block.flags()
        left, dropped, reasons = clean(
            block, flags, lines_of(block, flags), texts[rows].to_list()
        )
        yield pl.DataFrame(
            {
                "text": left,
                "lines_dropped": dropped.astype(np.int64),
                "dropped": pl.Series(reasons, dtype=pl.String),
            }
        )


def _c4(
    block: Block,
    flags: np.ndarray,
    lines: Lines,
    texts: list[str],
    any_end: bool,
    min_sentences: int,
) -> Cleaned:
    found = c4_lines(
        block, flags, lines=lines, found=phrase_places(block.codes, C4_PHRASES)
    )
    kept, lorem, curly, sentences = found.measures(any_end or not block.ends)
    if not block.ends:
        sentences = np.full(block.n_docs, min_sentences)
    reasons = [
        (
            "lorem_ipsum"
            if a
            else "curly_bracket"
            if b
            else "too_few_sentences"
            if c
            else None
        )
        for a, b, c in zip(lorem, curly, sentences < min_sentences, strict=True)
    ]
    left: list[list[str]] = [[] for _ in texts]
    for doc, line in _spelled(
        block, found.lines, chosen=np.flatnonzero(kept), texts=texts
    ):
        left[doc].append(CITATION.sub("", line) if "[" in line else line)
    return ["\n".join(rows).strip() for rows in left], found.lines.count(~kept), reasons


def _spelled(
    block: Block, lines: Lines, chosen: np.ndarray, texts: list[str]
) -> Iterator[tuple[int, str]]:
    """(document, line) of the chosen lines, without their outer spaces."""
    docs = lines.docs[chosen]
    first, stop = (
        lines.first[chosen] - block.doc_starts[docs],
        lines.last[chosen] + 1 - block.doc_starts[docs],
    )
    for doc, start, end in zip(
        docs.tolist(), first.tolist(), stop.tolist(), strict=True
    ):
        yield doc, texts[doc][start:end]


def _refinedweb(
    block: Block, _: np.ndarray, lines: Lines, texts: list[str], max_removed: float
) -> Cleaned:
    removed = np.logical_or.reduce(
        list(
            refinedweb_line_verdicts(
                block, lines, phrase_places(block.codes, NAVIGATION_PHRASES)
            ).values()
        )
    )
    share = lines.count(removed * lines.n_words) / np.maximum(
        lines.count(lines.n_words), 1
    )
    offsets = block.doc_starts[lines.docs[removed]]
    cut = without_spans(
        texts,
        lines.docs[removed],
        starts=lines.starts[removed] - offsets,
        stops=lines.ends[removed] + 1 - offsets,
    )
    return (
        cut,
        lines.count(removed),
        ["removed_words" if part > max_removed else None for part in share],
    )
