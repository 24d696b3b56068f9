"""The document rules: what is measured, against which threshold, from which paper.

Question: which rules are there, and which documents does each keep? `RULES` is the whole list, `RULE_SETS` names the
usual choices, `Thresholds` holds the published cut-offs. Only data: `rules` measures and judges.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from stages.curation.rules.blocklists import UrlLists
from stages.foundation.errors import InputError

# Gopher, appendix A
STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """The published cut-offs under datatrove's names; a document at the threshold stays. None switches a rule off."""

    words: str = "datatrove"  # tokeniser, see `words.TOKENISERS`
    # "datatrove" counts as its code does where that differs from the papers
    quirks: str = "none"
    # 1 lets an n-gram that occurs once count as repetition, as datatrove does
    top_min_count: int = 2
    min_doc_words: float | None = 50
    max_doc_words: float | None = 100_000
    min_avg_word_length: float | None = 3
    max_avg_word_length: float | None = 10
    max_symbol_word_ratio: float | None = 0.1
    max_bullet_lines_ratio: float | None = 0.9
    max_ellipsis_lines_ratio: float | None = 0.3
    # datatrove's misnomer: the smallest share of words with a letter
    max_non_alpha_words_ratio: float | None = 0.8
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
    word_removal_ratio: float | None = 0.05
    max_non_alpha_numeric_ratio: float | None = 0.25
    max_number_ratio: float | None = 0.15
    max_url_ratio: float | None = 0.2
    max_white_space_ratio: float | None = 0.25
    max_parentheses_ratio: float | None = 0.1
    max_word_length: float | None = 1000
    max_boilerplate_ratio: float | None = 0.4
    languages: tuple[str, ...] | None = None  # wanted ones; None asks no language model
    min_lang_score: float | None = 0.65  # FineWeb
    bad_words: frozenset[str] | None = None  # see `blocklists.read_list`
    max_bad_words: float | None = 0
    url_lists: UrlLists | None = None  # see `blocklists.url_lists`
    max_url_entries: float | None = 0
    max_url_soft_words: float | None = 1  # two drop: RefinedWeb and datatrove

    def __post_init__(self) -> None:
        if self.quirks not in ("none", "datatrove"):
            raise InputError(
                f"no quirks {self.quirks!r} to reproduce; known are none, datatrove"
            )


@dataclass(frozen=True)
class Rule:
    """A measure, a bound and where both come from."""

    name: str
    source: str
    measure: str  # column of `measure`
    keeps: str  # "at least" or "at most" the threshold
    threshold: str  # field of Thresholds
    needs: str | None = None  # field of Thresholds without which nothing is measured

    def passes(self, thresholds: Thresholds) -> pl.Expr:
        limit = getattr(thresholds, self.threshold)
        if limit is None:
            return pl.lit(True)
        return (
            pl.col(self.measure) >= limit
            if self.keeps == "at least"
            else pl.col(self.measure) <= limit
        )


# named like a rule, but judged against evaluation files
DECONTAMINATION = "decontamination"
CURATOR, REFINEDWEB = (
    "NVIDIA 2024 (NeMo Curator, its defaults)",
    "Penedo et al. 2023, appendix G.2, cut-offs of Li et al. 2024",
)
GOPHER, C4, FINEWEB = (
    "Rae et al. 2021, table A1",
    "Raffel et al. 2020, section 2.2",
    "Penedo et al. 2024, section 3.6",
)
URL_LISTS = ("url_domains", "url_addresses", "url_words", "url_substrings")
RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        *(
            Rule(f"gopher_dup_{part}", GOPHER, f"dup_{part}", "at most", f"dup_{part}")
            for part in ("para_frac", "para_char_frac", "line_frac", "line_char_frac")
        ),
        *(
            Rule(
                f"gopher_top_{n}_gram",
                GOPHER,
                f"top_{n}_gram_frac",
                "at most",
                f"top_{n}_gram",
            )
            for n in (2, 3, 4)
        ),
        *(
            Rule(
                f"gopher_dup_{n}_gram",
                GOPHER,
                f"dup_{n}_gram_frac",
                "at most",
                f"dup_{n}_gram",
            )
            for n in (5, 6, 7, 8, 9, 10)
        ),
        Rule("gopher_min_words", GOPHER, "named_words", "at least", "min_doc_words"),
        Rule("gopher_max_words", GOPHER, "named_words", "at most", "max_doc_words"),
        Rule(
            "gopher_min_word_length",
            GOPHER,
            "mean_word_length",
            "at least",
            "min_avg_word_length",
        ),
        Rule(
            "gopher_max_word_length",
            GOPHER,
            "mean_word_length",
            "at most",
            "max_avg_word_length",
        ),
        Rule(
            "gopher_hashes",
            GOPHER,
            "hash_word_ratio",
            "at most",
            "max_symbol_word_ratio",
        ),
        Rule(
            "gopher_ellipses",
            GOPHER,
            "ellipsis_word_ratio",
            "at most",
            "max_symbol_word_ratio",
        ),
        Rule(
            "gopher_bullet_lines",
            GOPHER,
            "bullet_lines_frac",
            "at most",
            "max_bullet_lines_ratio",
        ),
        Rule(
            "gopher_ellipsis_lines",
            GOPHER,
            "ellipsis_lines_frac",
            "at most",
            "max_ellipsis_lines_ratio",
        ),
        Rule(
            "gopher_alphabetic_words",
            GOPHER,
            "alphabetic_words_frac",
            "at least",
            "max_non_alpha_words_ratio",
        ),
        Rule("gopher_stop_words", GOPHER, "stop_words", "at least", "min_stop_words"),
        *(
            rule
            for suffix, source in (
                ("", C4),
                ("_any_end", f"{C4}, lines without end mark kept as in FineWeb"),
            )
            for rule in (
                Rule(
                    f"c4_lorem_ipsum{suffix}",
                    source,
                    f"c4_lorem_lines{suffix}",
                    "at most",
                    "max_lorem_ipsum",
                ),
                Rule(
                    f"c4_curly_bracket{suffix}",
                    source,
                    f"c4_curly_lines{suffix}",
                    "at most",
                    "max_curly_brackets",
                ),
                Rule(
                    f"c4_sentences{suffix}",
                    source,
                    f"c4_sentences{suffix}",
                    "at least",
                    "min_num_sentences",
                ),
            )
        ),
        Rule(
            "c4_paragraphs",
            "Xue et al. 2021 (mC4), three lines of 200 characters",
            "long_lines",
            "at least",
            "min_paragraphs",
        ),
        Rule(
            "fineweb_line_punctuation",
            FINEWEB,
            "line_punct_frac",
            "at least",
            "line_punct_thr",
        ),
        Rule(
            "fineweb_short_lines",
            FINEWEB,
            "short_line_frac",
            "at most",
            "short_line_thr",
        ),
        Rule(
            "fineweb_duplicate_lines",
            FINEWEB,
            "char_duplicates_frac",
            "at most",
            "char_duplicates_ratio",
        ),
        Rule(
            "fineweb_new_lines",
            FINEWEB,
            "new_lines_per_word",
            "at most",
            "new_line_ratio",
        ),
        Rule(
            "refinedweb_removed_words",
            REFINEDWEB,
            "refinedweb_removed_words_frac",
            "at most",
            "word_removal_ratio",
        ),
        Rule(
            "curator_non_alphanumeric",
            CURATOR,
            "non_alphanumeric_frac",
            "at most",
            "max_non_alpha_numeric_ratio",
        ),
        Rule("curator_numbers", CURATOR, "digit_frac", "at most", "max_number_ratio"),
        Rule("curator_urls", CURATOR, "url_frac", "at most", "max_url_ratio"),
        Rule(
            "curator_white_space",
            CURATOR,
            "space_frac",
            "at most",
            "max_white_space_ratio",
        ),
        Rule(
            "curator_parentheses",
            CURATOR,
            "bracket_frac",
            "at most",
            "max_parentheses_ratio",
        ),
        Rule(
            "curator_long_word", CURATOR, "longest_word", "at most", "max_word_length"
        ),
        Rule(
            "curator_boilerplate",
            CURATOR,
            "policy_paragraphs_frac",
            "at most",
            "max_boilerplate_ratio",
        ),
        Rule(
            "language",
            f"{FINEWEB} and the threshold of its pipeline",
            "wanted_lang_score",
            "at least",
            "min_lang_score",
            "languages",
        ),
        Rule("c4_bad_words", C4, "bad_words", "at most", "max_bad_words", "bad_words"),
        *(
            Rule(
                name,
                REFINEDWEB.replace("G.2", "G.1"),
                name,
                "at most",
                "max_url_entries",
                "url_lists",
            )
            for name in URL_LISTS
        ),
        Rule(
            "url_soft_words",
            REFINEDWEB.replace("G.2", "G.1"),
            "url_soft_words",
            "at most",
            "max_url_soft_words",
            "url_lists",
        ),
    )
}
_GOPHER = [name for name in RULES if name.startswith("gopher")]
_C4 = ("c4_lorem_ipsum", "c4_curly_bracket", "c4_sentences")
RULE_SETS: dict[str, list[str]] = {
    "gopher": _GOPHER,
    "c4": [*_C4],
    "fineweb": [
        *_GOPHER,
        *(f"{name}_any_end" for name in _C4),
        *(name for name in RULES if name.startswith("fineweb")),
    ],
    "refinedweb": [*_GOPHER, "refinedweb_removed_words"],
    "curator": [name for name in RULES if name.startswith("curator")],
    "url": [*URL_LISTS, "url_soft_words"],
}


def rule_names(rules: Sequence[str] | str) -> list[str]:
    """The names of a rule set, or the given names, checked."""
    names = RULE_SETS.get(rules, [rules]) if isinstance(rules, str) else list(rules)
    if unknown := [name for name in names if name not in RULES]:
        raise InputError(
            f"no document rule or rule set {unknown[0]!r}; sets are"
            f" {', '.join(RULE_SETS)}; rules are {', '.join(RULES)}"
        )
    return names


def named_rules(names: Sequence[str] | str) -> list[str]:
    """The rules that an arm means by a rule, a rule set or a list of both; DECONTAMINATION may be among them."""
    flat = [names] if isinstance(names, str) else names
    return list(
        dict.fromkeys(
            rule
            for name in flat
            for rule in ([name] if name == DECONTAMINATION else rule_names(name))
        )
    )
