"""Measures documents and judges them by the rules of Gopher, C4, FineWeb, RefinedWeb and NeMo
Curator.

Question: which documents does each rule drop, alone and in order? Input: document tables. Output: a
table of measured values and a table of `pass_<rule>` booleans; `rule_report` counts and shows.
Rules judge whole documents; `cleaning` and `pii` rewrite. Cost: all rules of a set together 20 to
25 MB a CPU-second, memory of one block (measured); the first call on a machine compiles for seconds
(see `compiled`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl

from stages.curation.kernels.words import totals
from stages.curation.rules.blocklists import bad_word_counts, url_measures
from stages.curation.rules.by_language import RULES_LANG, passes, shorter_lines
from stages.curation.rules.rule_list import (
    RULE_SETS,
    RULES,
    STOP_WORDS,
    Rule,
    Thresholds,
    rule_names,
)
from stages.curation.rules.rule_report import rule_examples, rule_report
from stages.curation.text.character_ratios import (
    character_measures,
    foreign_non_alphanumeric,
)
from stages.curation.text.characters import Block, block_of, blocks
from stages.curation.text.function_words import ENGLISH, script_word_chars
from stages.curation.text.language import language_measures
from stages.curation.text.lines import datatrove_line_measures, line_measures, lines_of
from stages.curation.text.page_measures import page_measures
from stages.curation.text.repetition import repetition_measures
from stages.curation.text.scripts import LATIN_SCRIPT, block_scripts, writing
from stages.curation.text.words import Words, word_hash, words_of
from stages.curation.text.written import own_function_words, written_in
from stages.foundation.errors import InputError

__all__ = [
    "RULES",
    "RULE_SETS",
    "STOP_WORDS",
    "Rule",
    "Thresholds",
    "judge",
    "measure",
    "rule_examples",
    "rule_names",
    "rule_report",
    "rule_table",
]

# of a longer document only so many are measured, 12 times Gopher's longest: keeps memory in bounds
MEASURED_CHARS = 1 << 23


def rule_table(
    frames: pl.DataFrame | Iterable[pl.DataFrame],
    thresholds: Thresholds = Thresholds(),
    rules: Sequence[str] | str = "fineweb",
) -> pl.DataFrame:
    """The columns of `measure` and of `judge`: one row a document, in input order.

    >>> from stages.curation.reading.documents import documents
    >>> pool = documents(["too short", "bridge " * 60], ["1", "2"], "p")
    >>> rule_table(pool, rules="gopher")["first_failed"].to_list()
    ['gopher_min_words', 'gopher_top_2_gram']
    """
    measured = measure(frames, thresholds)
    return pl.concat(
        [measured, judge(measured, thresholds, rules).drop("id")], how="horizontal"
    )


def measure(
    frames: pl.DataFrame | Iterable[pl.DataFrame], thresholds: Thresholds = Thresholds()
) -> pl.DataFrame:
    """Columns `id`, `rules_lang` (see `written`), and one Float64 a measure (and `lang`, a string, where languages
    are asked for).

    Words are those of the document's script, function words those of its language.
    A document of over MEASURED_CHARS characters is judged by its beginning.
    """
    frames = [frames] if isinstance(frames, pl.DataFrame) else frames
    parts = [part for frame in frames for part in _measured(frame, thresholds)]
    if not parts:
        raise InputError("no documents to measure; give at least one")
    return pl.concat(parts)


def _measured(frame: pl.DataFrame, thresholds: Thresholds) -> Iterator[pl.DataFrame]:
    if (frame["text"].str.len_bytes().max() or 0) > MEASURED_CHARS:
        frame = frame.with_columns(pl.col("text").str.slice(0, MEASURED_CHARS))
    for rows, block in blocks(frame["text"]):
        scripts = block_scripts(block)
        if set(scripts) == {LATIN_SCRIPT}:
            yield _block_measures(frame[rows], block, thresholds, LATIN_SCRIPT)
        else:
            yield _by_script(frame[rows], scripts, thresholds)


def _by_script(
    frame: pl.DataFrame, scripts: list[str], thresholds: Thresholds
) -> pl.DataFrame:
    """Of documents in several scripts, each script by itself."""
    parts, places = [], []
    for script in sorted(set(scripts)):
        rows = np.flatnonzero([name == script for name in scripts])
        block = replace(block_of(frame["text"].gather(rows)), writing=writing(script))
        parts.append(_block_measures(frame[rows], block, thresholds, script))
        places.append(rows)
    return pl.concat(parts)[np.argsort(np.concatenate(places))]


def _block_measures(
    frame: pl.DataFrame, block: Block, thresholds: Thresholds, script: str
) -> pl.DataFrame:
    """Of a block whose documents are all in one script."""
    quirks = thresholds.quirks == "datatrove"
    flags = block.flags()
    words, lines = words_of(block, flags, thresholds.words), lines_of(block, flags)
    declared = frame["lang"] if "lang" in frame.columns else None
    langs = written_in(frame["text"], words, script, declared)
    size = None if words.unit_chars is None else script_word_chars(script)
    of_words = word_measures(block, words, size)
    values = (
        of_words
        | line_measures(block, lines, of_words["words"], shorter_lines(langs))
        | page_measures(block, flags, lines)
    )
    values |= repetition_measures(
        block,
        words,
        1 if quirks else thresholds.top_min_count,
        greedy=quirks,
        word_units=size,
    )
    values |= datatrove_line_measures(block, flags, lines) if quirks else {}
    values |= character_measures(block, flags)
    if (langs != ENGLISH).any():
        values |= _foreign_measures(frame["text"], block, words, langs, values)
    columns = [
        frame["id"],
        pl.Series(RULES_LANG, langs.tolist(), dtype=pl.String),
        *(pl.Series(name, value, dtype=pl.Float64) for name, value in values.items()),
    ]
    return pl.DataFrame([*columns, *_asked(frame, thresholds)])


def _asked(frame: pl.DataFrame, thresholds: Thresholds) -> list[pl.Series]:
    """Measures that need a list or a model, each only where the thresholds name one."""
    values: dict[str, np.ndarray] = {}
    if thresholds.url_lists is not None:
        if "url" not in frame.columns:
            raise InputError(
                "URL lists are given but the documents have no column url; map one to"
                " it, or leave the lists out"
            )
        values |= url_measures(frame["url"], thresholds.url_lists)
    if thresholds.bad_words is not None:
        values["bad_words"] = bad_word_counts(frame["text"], thresholds.bad_words)
    if thresholds.languages is not None:
        values |= language_measures(frame["text"], thresholds.languages)
    return [pl.Series(name, value) for name, value in values.items()]


def _foreign_measures(
    texts: pl.Series,
    block: Block,
    words: Words,
    langs: np.ndarray,
    values: dict[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """What is measured otherwise in documents that are not English; `values` are the measures so far."""
    own = own_function_words(texts, words, langs)
    symbols = foreign_non_alphanumeric(block, block.flags())
    return {
        "stop_words": np.where(np.isnan(own), values["stop_words"], own),
        "non_alphanumeric_frac": np.where(
            langs == ENGLISH, values["non_alphanumeric_frac"], symbols
        ),
    }


def word_measures(
    block: Block, words: Words, word_chars: float | None = None
) -> dict[str, np.ndarray]:
    """Measures of Gopher's quality rules (D,); `word_chars` is the length of a word in a script without spaces."""
    parts = (
        words.starts,
        words.ends,
        words.docs,
        words.hashes,
        words.named,
        words.alphabetic,
    )
    named, chars, alphabetic, stops = totals(*parts, _stop_hashes())
    every, of_letters = words.per_doc, alphabetic / np.maximum(words.per_doc, 1)
    if word_chars is not None and words.unit_chars is not None:
        # so many words are fewer than the units that stand for them
        fewer = words.sums(words.unit_chars) / word_chars
        fewer -= words.sums(words.unit_chars > 0)
        every, named = every + fewer, named + fewer
    n_words = np.maximum(every, 1)
    return {
        "words": every,
        "named_words": named,
        "mean_word_length": chars / np.maximum(named, 1),
        "hash_word_ratio": (
            _count(block, np.flatnonzero(block.codes == ord("#"))) / n_words
        ),
        "ellipsis_word_ratio": _count(block, _ellipses(block.codes)) / n_words,
        "alphabetic_words_frac": of_letters,
        "stop_words": stops,
    }


@cache
def _stop_hashes() -> np.ndarray:
    return np.array([word_hash(word) for word in STOP_WORDS], dtype=np.uint64)


def _count(block: Block, places: np.ndarray) -> np.ndarray:
    return np.diff(np.searchsorted(places, block.doc_starts))


def _ellipses(codes: np.ndarray) -> np.ndarray:
    """Places of '…' and of every third dot of a run."""
    dots = np.flatnonzero(codes == ord("."))
    fresh = np.flatnonzero(np.diff(dots, prepend=-2) != 1)
    rank = np.arange(len(dots)) - np.repeat(fresh, np.diff(fresh, append=len(dots)))
    places = dots[rank % 3 == 2]
    return (
        places
        if codes.dtype == np.uint8
        else np.sort(np.concatenate([places, np.flatnonzero(codes == ord("…"))]))
    )


def judge(
    measured: pl.DataFrame,
    thresholds: Thresholds = Thresholds(),
    rules: Sequence[str] | str = "fineweb",
) -> pl.DataFrame:
    """Columns `id`, one boolean `pass_<rule>` a rule, `rules_pass` (all of them) and `first_failed` (null if none).

    `rules` is a name in `RULE_SETS` or names in `RULES`, in the order in which they are applied. A rule that is made
    for another language than that of `rules_lang` drops nothing (see `by_language`).
    """
    names = rule_names(rules)
    if lacking := [
        name for name in names if RULES[name].measure not in measured.columns
    ]:
        raise InputError(
            f"rule {lacking[0]} needs the measure {RULES[lacking[0]].measure}; give"
            f" {RULES[lacking[0]].needs or 'it'} in the thresholds"
        )
    if RULES_LANG not in measured.columns:
        measured = measured.with_columns(pl.lit(ENGLISH).alias(RULES_LANG))
    passed = measured.select(
        "id", *(passes(RULES[name], thresholds).alias(f"pass_{name}") for name in names)
    )
    failed = pl.coalesce(
        pl.lit(None, dtype=pl.String),
        *(pl.when(~pl.col(f"pass_{name}")).then(pl.lit(name)) for name in names),
    )
    return passed.with_columns(first_failed=failed).with_columns(
        rules_pass=pl.col("first_failed").is_null()
    )
