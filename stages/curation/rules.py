"""Document rules of Gopher, C4 and FineWeb: what is measured, against which threshold, from which paper.

Question: which documents does each rule drop, alone and in order? Input: document tables. Output: a table of measured
values, a table of `pass_<rule>` booleans, and a report. Rules judge whole documents; nothing is rewritten.
Cost: all rules together 9 MB a CPU-second, 14 with whitespace words; memory of one block (measured).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl

from stages.curation.characters import Block, blocks
from stages.curation.lines import datatrove_line_measures, line_measures, lines_of
from stages.curation.page_measures import page_measures
from stages.curation.repetition import repetition_measures
from stages.curation.words import Words, word_hash, words_of
from stages.errors import InputError

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")  # Gopher, appendix A


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """The published cut-offs under datatrove's names; a document at the threshold stays. None switches a rule off."""

    words: str = "datatrove"  # tokeniser, see `words.TOKENISERS`
    quirks: str = "none"  # "datatrove" counts as its code does where that differs from the papers, see `QUIRKS`
    top_min_count: int = 2  # 1 lets an n-gram that occurs once count as repetition, as datatrove does
    min_doc_words: float | None = 50
    max_doc_words: float | None = 100_000
    min_avg_word_length: float | None = 3
    max_avg_word_length: float | None = 10
    max_symbol_word_ratio: float | None = 0.1
    max_bullet_lines_ratio: float | None = 0.9
    max_ellipsis_lines_ratio: float | None = 0.3
    max_non_alpha_words_ratio: float | None = 0.8  # datatrove's misnomer: the smallest share of words with a letter
    min_stop_words: float | None = 2
    dup_line_frac: float | None = 0.3
    dup_para_frac: float | None = 0.3
    dup_line_char_frac: float | None = 0.2
    dup_para_char_frac: float | None = 0.2
    top_2_gram: float | None = 0.20
    top_3_gram: float | None = 0.18
    top_4_gram: float | None = 0.16
    dup_5_gram: float | None = 0.15
    dup_6_gram: float | None = 0.14
    dup_7_gram: float | None = 0.13
    dup_8_gram: float | None = 0.12
    dup_9_gram: float | None = 0.11
    dup_10_gram: float | None = 0.10
    min_num_sentences: float | None = 5
    max_lorem_ipsum: float | None = 0
    max_curly_brackets: float | None = 0
    min_paragraphs: float | None = 3
    line_punct_thr: float | None = 0.12
    short_line_thr: float | None = 0.67
    char_duplicates_ratio: float | None = 0.01
    new_line_ratio: float | None = 0.3


@dataclass(frozen=True)
class Rule:
    """A measure, a bound and where both come from."""

    name: str
    source: str
    measure: str  # column of `measure`
    keeps: str  # "at least" or "at most" the threshold
    threshold: str  # field of Thresholds

    def passes(self, thresholds: Thresholds) -> pl.Expr:
        limit = getattr(thresholds, self.threshold)
        if limit is None:
            return pl.lit(True)
        return pl.col(self.measure) >= limit if self.keeps == "at least" else pl.col(self.measure) <= limit


GOPHER, C4, FINEWEB = "Rae et al. 2021, table A1", "Raffel et al. 2020, section 2.2", "Penedo et al. 2024, section 3.6"
RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        *(
            Rule(f"gopher_dup_{part}", GOPHER, f"dup_{part}", "at most", f"dup_{part}")
            for part in ("para_frac", "para_char_frac", "line_frac", "line_char_frac")
        ),
        *(Rule(f"gopher_top_{n}_gram", GOPHER, f"top_{n}_gram_frac", "at most", f"top_{n}_gram") for n in (2, 3, 4)),
        *(Rule(f"gopher_dup_{n}_gram", GOPHER, f"dup_{n}_gram_frac", "at most", f"dup_{n}_gram") for n in (5, 6, 7, 8, 9, 10)),
        Rule("gopher_min_words", GOPHER, "named_words", "at least", "min_doc_words"),
        Rule("gopher_max_words", GOPHER, "named_words", "at most", "max_doc_words"),
        Rule("gopher_min_word_length", GOPHER, "mean_word_length", "at least", "min_avg_word_length"),
        Rule("gopher_max_word_length", GOPHER, "mean_word_length", "at most", "max_avg_word_length"),
        Rule("gopher_hashes", GOPHER, "hash_word_ratio", "at most", "max_symbol_word_ratio"),
        Rule("gopher_ellipses", GOPHER, "ellipsis_word_ratio", "at most", "max_symbol_word_ratio"),
        Rule("gopher_bullet_lines", GOPHER, "bullet_lines_frac", "at most", "max_bullet_lines_ratio"),
        Rule("gopher_ellipsis_lines", GOPHER, "ellipsis_lines_frac", "at most", "max_ellipsis_lines_ratio"),
        Rule("gopher_alphabetic_words", GOPHER, "alphabetic_words_frac", "at least", "max_non_alpha_words_ratio"),
        Rule("gopher_stop_words", GOPHER, "stop_words", "at least", "min_stop_words"),
        Rule("c4_lorem_ipsum", C4, "lorem_ipsum", "at most", "max_lorem_ipsum"),
        Rule("c4_curly_bracket", C4, "curly_brackets", "at most", "max_curly_brackets"),
        Rule("c4_sentences", C4, "c4_sentences", "at least", "min_num_sentences"),
        Rule("c4_sentences_any_end", f"{C4}, lines without end mark kept as in FineWeb", "c4_sentences_any_end", "at least", "min_num_sentences"),
        Rule("c4_paragraphs", "Xue et al. 2021 (mC4), three lines of 200 characters", "long_lines", "at least", "min_paragraphs"),
        Rule("fineweb_line_punctuation", FINEWEB, "line_punct_frac", "at least", "line_punct_thr"),
        Rule("fineweb_short_lines", FINEWEB, "short_line_frac", "at most", "short_line_thr"),
        Rule("fineweb_duplicate_lines", FINEWEB, "char_duplicates_frac", "at most", "char_duplicates_ratio"),
        Rule("fineweb_new_lines", FINEWEB, "new_lines_per_word", "at most", "new_line_ratio"),
    )
}
_GOPHER = [name for name in RULES if name.startswith("gopher")]
_C4_PAGE = ["c4_lorem_ipsum", "c4_curly_bracket"]
RULE_SETS: dict[str, list[str]] = {
    "gopher": _GOPHER,
    "c4": [*_C4_PAGE, "c4_sentences"],
    "fineweb": [*_GOPHER, *_C4_PAGE, "c4_sentences_any_end", *(name for name in RULES if name.startswith("fineweb"))],
}


def rule_table(
    frames: pl.DataFrame | Iterable[pl.DataFrame], thresholds: Thresholds = Thresholds(), rules: Sequence[str] | str = "fineweb"
) -> pl.DataFrame:
    """The columns of `measure` and of `judge`: one row a document, in input order.

    >>> table = rule_table(pool)
    >>> table.group_by("first_failed").len()
    """
    measured = measure(frames, thresholds)
    return pl.concat([measured, judge(measured, thresholds, rules).drop("id")], how="horizontal")


def measure(frames: pl.DataFrame | Iterable[pl.DataFrame], thresholds: Thresholds = Thresholds()) -> pl.DataFrame:
    """Column `id` and one Float64 a measure."""
    frames = [frames] if isinstance(frames, pl.DataFrame) else frames
    parts = [part for frame in frames for part in _measured(frame, thresholds)]
    if not parts:
        raise InputError("no documents to measure; give at least one")
    return pl.concat(parts)


def _measured(frame: pl.DataFrame, thresholds: Thresholds) -> Iterator[pl.DataFrame]:
    quirks = thresholds.quirks == "datatrove"
    for rows, block in blocks(frame["text"]):
        flags = block.flags()
        words, lines = words_of(block, flags, thresholds.words), lines_of(block, flags)
        values = word_measures(block, words) | line_measures(block, lines, words.per_doc) | page_measures(block, lines)
        values |= repetition_measures(block, words, 1 if quirks else thresholds.top_min_count, greedy=quirks)
        values |= datatrove_line_measures(block, flags, lines) if quirks else {}
        columns = (pl.Series(name, value, dtype=pl.Float64) for name, value in values.items())
        yield frame.select("id")[rows].with_columns(columns)


def word_measures(block: Block, words: Words) -> dict[str, np.ndarray]:
    """Measures of Gopher's quality rules (D,)."""
    from stages.curation.word_kernel import totals

    parts = (words.starts, words.ends, words.docs, words.hashes, words.named, words.alphabetic)
    named, chars, alphabetic, stops = totals(*parts, _stop_hashes())
    n_words = np.maximum(words.per_doc, 1)
    return {
        "words": words.per_doc,
        "named_words": named,
        "mean_word_length": chars / np.maximum(named, 1),
        "hash_word_ratio": _count(block, np.flatnonzero(block.codes == ord("#"))) / n_words,
        "ellipsis_word_ratio": _count(block, _ellipses(block.codes)) / n_words,
        "alphabetic_words_frac": alphabetic / n_words,
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
    return places if codes.dtype == np.uint8 else np.sort(np.concatenate([places, np.flatnonzero(codes == ord("…"))]))


def judge(measured: pl.DataFrame, thresholds: Thresholds = Thresholds(), rules: Sequence[str] | str = "fineweb") -> pl.DataFrame:
    """Columns `id`, one boolean `pass_<rule>` a rule, `rules_pass` (all of them) and `first_failed` (null if none).

    `rules` is a name in `RULE_SETS` or names in `RULES`, in the order in which they are applied.
    """
    names = rule_names(rules)
    passed = measured.select("id", *(RULES[name].passes(thresholds).alias(f"pass_{name}") for name in names))
    failed = pl.coalesce(pl.lit(None, dtype=pl.String), *(pl.when(~pl.col(f"pass_{name}")).then(pl.lit(name)) for name in names))
    return passed.with_columns(first_failed=failed).with_columns(rules_pass=pl.col("first_failed").is_null())


def rule_names(rules: Sequence[str] | str) -> list[str]:
    """The names of a rule set, or the given names, checked."""
    names = RULE_SETS.get(rules, [rules]) if isinstance(rules, str) else list(rules)
    if unknown := [name for name in names if name not in RULES]:
        raise InputError(f"no document rule or rule set {unknown[0]!r}; sets are {', '.join(RULE_SETS)}; rules are {', '.join(RULES)}")
    return names


def rule_report(table: pl.DataFrame, documents: pl.DataFrame, thresholds: Thresholds = Thresholds()) -> pl.DataFrame:
    """One row a rule of the table, in order: rule, source, measure, keeps, threshold; the documents and characters that
    it drops alone (`documents_alone`, `characters_alone`) and that no rule before it drops (`.._in_order`).
    """
    judged = table.select("id", "first_failed", "^pass_.*$").join(documents.select("id", "n_chars"), on="id")
    names = [column.removeprefix("pass_") for column in judged.columns if column.startswith("pass_")]
    return pl.DataFrame([_report_row(RULES[name], judged, thresholds) for name in names], infer_schema_length=None)


def _report_row(rule: Rule, judged: pl.DataFrame, thresholds: Thresholds) -> dict:
    alone, first = judged.filter(~pl.col(f"pass_{rule.name}")), judged.filter(first_failed=rule.name)
    limit = getattr(thresholds, rule.threshold)
    return {
        "rule": rule.name, "source": rule.source, "measure": rule.measure, "keeps": rule.keeps,
        "threshold": None if limit is None else float(limit),
        "documents_alone": alone.height, "characters_alone": int(alone["n_chars"].sum()),
        "documents_in_order": first.height, "characters_in_order": int(first["n_chars"].sum()),
    }  # fmt: skip
