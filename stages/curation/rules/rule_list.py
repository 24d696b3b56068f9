"""The document rules: what is measured, against which threshold, from which paper.

Question: which rules are there, and which documents does each keep? `RULES` is the whole list, `RULE_SETS` names the
usual choices, `Thresholds` holds the published cut-offs. Only data, without polars: `rules` measures and judges.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from stages.curation.rules.list_files import UrlLists
from stages.foundation.errors import InputError

# Gopher, appendix A
STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """The published cut-offs under datatrove's names; a document at the threshold stays. None switches a rule off."""

    words: str = "datatrove"  # tokeniser, see `names.TOKENISERS`
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
    bad_words: frozenset[str] | None = None  # see `list_files.read_list`
    max_bad_words: float | None = 0
    url_lists: UrlLists | None = None  # see `list_files.url_lists`
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
    language: str = "free"  # kind of `by_language`: how it judges other languages


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
            Rule(
                f"gopher_dup_{part}",
                source=GOPHER,
                measure=f"dup_{part}",
                keeps="at most",
                threshold=f"dup_{part}",
            )
            for part in ("para_frac", "para_char_frac", "line_frac", "line_char_frac")
        ),
        *(
            Rule(
                f"gopher_top_{n}_gram",
                source=GOPHER,
                measure=f"top_{n}_gram_frac",
                keeps="at most",
                threshold=f"top_{n}_gram",
            )
            for n in (2, 3, 4)
        ),
        *(
            Rule(
                f"gopher_dup_{n}_gram",
                source=GOPHER,
                measure=f"dup_{n}_gram_frac",
                keeps="at most",
                threshold=f"dup_{n}_gram",
            )
            for n in (5, 6, 7, 8, 9, 10)
        ),
        Rule(
            "gopher_min_words",
            source=GOPHER,
            measure="named_words",
            keeps="at least",
            threshold="min_doc_words",
            language="fewer",
        ),
        Rule(
            "gopher_max_words",
            source=GOPHER,
            measure="named_words",
            keeps="at most",
            threshold="max_doc_words",
        ),
        Rule(
            "gopher_min_word_length",
            source=GOPHER,
            measure="mean_word_length",
            keeps="at least",
            threshold="min_avg_word_length",
            language="length",
        ),
        Rule(
            "gopher_max_word_length",
            source=GOPHER,
            measure="mean_word_length",
            keeps="at most",
            threshold="max_avg_word_length",
            language="length",
        ),
        Rule(
            "gopher_hashes",
            source=GOPHER,
            measure="hash_word_ratio",
            keeps="at most",
            threshold="max_symbol_word_ratio",
        ),
        Rule(
            "gopher_ellipses",
            source=GOPHER,
            measure="ellipsis_word_ratio",
            keeps="at most",
            threshold="max_symbol_word_ratio",
        ),
        Rule(
            "gopher_bullet_lines",
            source=GOPHER,
            measure="bullet_lines_frac",
            keeps="at most",
            threshold="max_bullet_lines_ratio",
        ),
        Rule(
            "gopher_ellipsis_lines",
            source=GOPHER,
            measure="ellipsis_lines_frac",
            keeps="at most",
            threshold="max_ellipsis_lines_ratio",
        ),
        Rule(
            "gopher_alphabetic_words",
            source=GOPHER,
            measure="alphabetic_words_frac",
            keeps="at least",
            threshold="max_non_alpha_words_ratio",
            language="marks",
        ),
        Rule(
            "gopher_stop_words",
            source=GOPHER,
            measure="stop_words",
            keeps="at least",
            threshold="min_stop_words",
            language="words",
        ),
        *(
            rule
            for suffix, source in (
                ("", C4),
                ("_any_end", f"{C4}, lines without end mark kept as in FineWeb"),
            )
            for rule in (
                Rule(
                    f"c4_lorem_ipsum{suffix}",
                    source=source,
                    measure=f"c4_lorem_lines{suffix}",
                    keeps="at most",
                    threshold="max_lorem_ipsum",
                ),
                Rule(
                    f"c4_curly_bracket{suffix}",
                    source=source,
                    measure=f"c4_curly_lines{suffix}",
                    keeps="at most",
                    threshold="max_curly_brackets",
                ),
                Rule(
                    f"c4_sentences{suffix}",
                    source=source,
                    measure=f"c4_sentences{suffix}",
                    keeps="at least",
                    threshold="min_num_sentences",
                    language="ends",
                ),
            )
        ),
        Rule(
            "c4_paragraphs",
            source="Xue et al. 2021 (mC4), three lines of 200 characters",
            measure="long_lines",
            keeps="at least",
            threshold="min_paragraphs",
            language="lines",
        ),
        Rule(
            "fineweb_line_punctuation",
            source=FINEWEB,
            measure="line_punct_frac",
            keeps="at least",
            threshold="line_punct_thr",
            language="ends",
        ),
        Rule(
            "fineweb_short_lines",
            source=FINEWEB,
            measure="short_line_frac",
            keeps="at most",
            threshold="short_line_thr",
            language="lines",
        ),
        Rule(
            "fineweb_duplicate_lines",
            source=FINEWEB,
            measure="char_duplicates_frac",
            keeps="at most",
            threshold="char_duplicates_ratio",
        ),
        Rule(
            "fineweb_new_lines",
            source=FINEWEB,
            measure="new_lines_per_word",
            keeps="at most",
            threshold="new_line_ratio",
        ),
        Rule(
            "refinedweb_removed_words",
            source=REFINEDWEB,
            measure="refinedweb_removed_words_frac",
            keeps="at most",
            threshold="word_removal_ratio",
        ),
        Rule(
            "curator_non_alphanumeric",
            source=CURATOR,
            measure="non_alphanumeric_frac",
            keeps="at most",
            threshold="max_non_alpha_numeric_ratio",
            language="dense",
        ),
        Rule(
            "curator_numbers",
            source=CURATOR,
            measure="digit_frac",
            keeps="at most",
            threshold="max_number_ratio",
            language="dense",
        ),
        Rule(
            "curator_urls",
            source=CURATOR,
            measure="url_frac",
            keeps="at most",
            threshold="max_url_ratio",
            language="dense",
        ),
        Rule(
            "curator_white_space",
            source=CURATOR,
            measure="space_frac",
            keeps="at most",
            threshold="max_white_space_ratio",
            language="dense",
        ),
        Rule(
            "curator_parentheses",
            source=CURATOR,
            measure="bracket_frac",
            keeps="at most",
            threshold="max_parentheses_ratio",
            language="dense",
        ),
        Rule(
            "curator_long_word",
            source=CURATOR,
            measure="longest_word",
            keeps="at most",
            threshold="max_word_length",
        ),
        Rule(
            "curator_boilerplate",
            source=CURATOR,
            measure="policy_paragraphs_frac",
            keeps="at most",
            threshold="max_boilerplate_ratio",
        ),
        Rule(
            "language",
            source=f"{FINEWEB} and the threshold of its pipeline",
            measure="wanted_lang_score",
            keeps="at least",
            threshold="min_lang_score",
            needs="languages",
        ),
        Rule(
            "c4_bad_words",
            source=C4,
            measure="bad_words",
            keeps="at most",
            threshold="max_bad_words",
            needs="bad_words",
        ),
        *(
            Rule(
                name,
                source=REFINEDWEB.replace("G.2", "G.1"),
                measure=name,
                keeps="at most",
                threshold="max_url_entries",
                needs="url_lists",
            )
            for name in URL_LISTS
        ),
        Rule(
            "url_soft_words",
            source=REFINEDWEB.replace("G.2", "G.1"),
            measure="url_soft_words",
            keeps="at most",
            threshold="max_url_soft_words",
            needs="url_lists",
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
    """The names of a rule set, or the given names and those of the sets among them, each once, checked.

    >>> rule_names(["url_words", "curator", "url_words"])[:2]
    ['url_words', 'curator_non_alphanumeric']
    """
    given = [rules] if isinstance(rules, str) else rules
    names = list(
        dict.fromkeys(n for each in given for n in RULE_SETS.get(each, [each]))
    )
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
