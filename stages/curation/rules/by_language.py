"""What a rule that was set for English asks of a document in another language.

Question: with which limit, if any, does a rule judge a document? Input: the rule, the thresholds and the language that
`written` found. Output: an expression over the measures. Kinds (`Rule.language`):
    free      the same limit for all languages
    words     asks for function words: judges English and the languages of the table
    marks     shares of words with a letter: the limit at which the same text stands as it does in English
    length    word lengths: the limit times (characters a word) / (those of English); not where no spaces set words off
    fewer     least numbers of words: the limit times the share of English words that say the same, at most 1
    ends      needs marks at the ends of sentences: the languages of the table but Thai and Lao, which write none
    lines     lengths of lines: as ends; the lines are measured in characters times SHORTER
    dense     shares of characters: the limit divided by SHORTER
SHORTER is (characters a word and its space take) / (those of English), at most 1. A document in no language of the
table is not judged by the kinds words, marks, length, ends and lines; its limits of fewer and dense are the most
lenient of the table. All ratios are measured, see `function_words`.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl

from stages.curation.rules.rule_list import Rule, Thresholds
from stages.curation.text.function_words import (
    ENGLISH,
    FUNCTION_WORDS,
    INSIDE,
    MEASURED,
    WORD_CHARS,
)
from stages.curation.text.written import UNKNOWN

RULES_LANG = "rules_lang"  # column of the language that a document is judged by
KOREAN = "ko"  # its function words stand inside of words, which spaces set off
WITHOUT_ENDS = ("lo", "th")


def _shorter(lang: str) -> float:
    space = 0 if lang in INSIDE and lang != KOREAN else 1
    return min(1.0, (WORD_CHARS[lang] + space) / (WORD_CHARS[ENGLISH] + 1))


SHORTER = {lang: _shorter(lang) for lang in FUNCTION_WORDS}
LENGTH = {
    lang: WORD_CHARS[lang] / WORD_CHARS[ENGLISH]
    for lang in FUNCTION_WORDS
    if lang not in INSIDE or lang == KOREAN
}
FEWER = {lang: min(1.0, found.words) for lang, found in MEASURED.items()}
ALL = dict.fromkeys(FUNCTION_WORDS, 1.0)
ENDS = {lang: 1.0 for lang in FUNCTION_WORDS if lang not in WITHOUT_ENDS}
# kind of rule: language -> factor of the limit, and what holds for a language that is not named (None: not judged)
FACTORS: dict[str, tuple[Mapping[str, float], float | None]] = {
    "words": (ALL, None),
    "length": (LENGTH, None),
    "fewer": (FEWER, min(FEWER.values())),
    "ends": (ENDS, None),
    "lines": (ENDS, None),
    "dense": (
        {lang: 1 / short for lang, short in SHORTER.items()},
        1 / min(SHORTER.values()),
    ),
    "marks": ({lang: max(1.0, found.marks) for lang, found in MEASURED.items()}, None),
}


def passes(rule: Rule, thresholds: Thresholds) -> pl.Expr:
    """Whether a document stays, from the rule's measure and `rules_lang`; never null."""
    limit = getattr(thresholds, rule.threshold)
    if rule.language == "free" or limit is None:
        return passes_as_it_is(rule, thresholds)
    known, other = FACTORS[rule.language]
    factors = pl.col(RULES_LANG).replace_strict(
        dict(known), default=other, return_dtype=pl.Float64
    )
    if (
        rule.language == "marks"
    ):  # in a text at the limit, (1 - limit) / limit marks a word
        return _within(rule, limit / (limit + factors * (1 - limit))).fill_null(True)
    return _within(rule, factors * limit).fill_null(True)


def passes_as_it_is(rule: Rule, thresholds: Thresholds) -> pl.Expr:
    """The same by the limit as it is, whatever the language."""
    limit = getattr(thresholds, rule.threshold)
    return pl.lit(True) if limit is None else _within(rule, limit)


def _within(rule: Rule, limit: float | pl.Expr) -> pl.Expr:
    """Whether the measure keeps to the limit."""
    measure = pl.col(rule.measure)
    return measure >= limit if rule.keeps == "at least" else measure <= limit


def shorter_lines(langs: np.ndarray) -> np.ndarray | None:
    """SHORTER of each language (D,), 1 without a table; None where all is English."""
    if (langs == ENGLISH).all():
        return None
    return np.array([SHORTER.get(lang, 1.0) for lang in langs.tolist()])


def note(counts: Mapping[str, int], where: str) -> str | None:
    """What to tell a person of documents that only the language-free rules judged; None where there are none.

    >>> note({"en": 90, "und-Geor": 8, "und-Latn": 2}, "web")[:52]
    'web: 10 of 100 documents are in no language of the t'
    """
    unknown = {lang: n for lang, n in counts.items() if lang.startswith(UNKNOWN) and n}
    if not unknown:
        return None
    most = sorted(unknown.items(), key=lambda pair: (-pair[1], pair[0]))
    named = ", ".join(f"{lang} {n:,}" for lang, n in most[:5])
    named += f" and {len(most) - 5} more" if len(most) > 5 else ""
    return (
        f"{where}: {sum(unknown.values()):,} of {sum(counts.values()):,} documents are"
        f" in no language of the table ({named}): only the language-free rules judge"
        " them, docs/curate.md"
    )
