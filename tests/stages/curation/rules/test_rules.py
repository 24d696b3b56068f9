"""Every measure against a slow definition of it, on documents made to trip the rules."""

import random
import re
from collections import Counter
from itertools import compress

import polars as pl
import pytest

from stages.curation.reading.documents import documents
from stages.curation.rules import rules
from stages.curation.rules.rule_report import rule_report
from stages.curation.rules.rules import (
    RULE_SETS,
    RULES,
    STOP_WORDS,
    Thresholds,
    judge,
    measure,
    rule_examples,
    rule_table,
)
from stages.curation.text.c4_lines import POLICY_PHRASES
from stages.curation.text.characters import block_of
from stages.curation.text.function_words import FUNCTION_WORDS
from stages.curation.text.lines import TERMINAL
from stages.curation.text.page_measures import COUNTED
from stages.curation.text.words import words_of
from stages.foundation.errors import InputError

PIECES = [
    "the",
    "of",
    "and",
    "Words",
    "don't",
    "U.S",
    "naïve",
    "a",
    "x_1",
    "42",
    "3.14",
    "#",
    "...",
    "…",
    "....",
    ".",
    "!",
    "?",
    ",",
    "{",
    "é",
    "• item",
    "- item",
    "terms of use",
    "JavaScript is on",
    "lorem ipsum",
    "\n",
    "\n",
    "\n\n",
    "\n \n",
    "y" * 1001,
    '"quoted."',
    "“so.”",
    "日本。",
    "\n12 likes",
    "\n3,100K views!\n",
    "\nLOUD LINE\n",
    "\n2024\n",
    "\nread more...",
    "\nsign-in",
    "two-part",
    "it's",
    "see http://a.b/c?d",
    "https://x",
    "(3) [4]",
    "so.[12]",
    "Is it (so?) Yes.",
    "\nSome words of a line. And { more.\n",
]


def made_up(seed, n=120):
    rng = random.Random(seed)
    texts = []
    for _ in range(n):
        pieces = rng.choices(
            PIECES, weights=[rng.random() ** 3 for _ in PIECES], k=rng.randint(1, 120)
        )
        start = rng.randint(0, 40)
        pieces += pieces[start : start + rng.choice([0, 5, 12])] * rng.randint(0, 4)
        texts.append(" ".join(pieces))
    return [text for text in texts if text.strip()]


def grams(words, n):
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def top_frac(text, words, n, min_count):
    counts = Counter(grams(words, n))
    if not counts:
        return 0
    gram, count = counts.most_common(1)[0]
    return len(" ".join(gram)) * count / len(text) if count >= min_count else 0


def dup_frac(text, words, n):
    seen, covered = set(), set()
    for place, gram in enumerate(grams(words, n)):
        if gram in seen:
            covered |= set(range(place, place + n))
        seen.add(gram)
    return sum(len(words[i]) for i in covered) / len(text)


def copies(parts):
    again = [part for place, part in enumerate(parts) if part in parts[:place]]
    return len(again) / max(len(parts), 1), sum(map(len, again))


def greedy_frac(text, words, n):
    """datatrove's scan: it jumps over a repeat, and n-grams inside one are never seen."""
    seen, chars, place = set(), 0, 0
    while place + n <= len(words):
        gram = tuple(words[place : place + n])
        chars += len("".join(gram)) if gram in seen else 0
        place += n if gram in seen else 1
        seen.add(gram)
    return chars / len(text)


def split_words(text, kind):
    if kind == "regex":
        return re.findall(r"\w+(?:['’.\-]\w+)*|[^\w\s]", text)
    if kind == "whitespace":
        return text.split()
    block = block_of(pl.Series([text]))  # cut as test_words says
    found = words_of(block, block.flags(), kind)
    return [
        text[start:end] for start, end in zip(found.starts, found.ends, strict=True)
    ]


def refinedweb_removes(line):
    counter = rf"\W*\d[\d.,]*[KkMmBb]?\s+({'|'.join(COUNTED)})\W*"
    few = len(line.split()) <= 10
    navigation = few and re.search(
        r"^sign-in|read more\.\.\.$|items in cart", line.strip().lower()
    )
    upper = sum(char.isupper() for char in line) / len(line)
    return (
        upper > 0.5
        or line.isdigit()
        or re.fullmatch(counter, line.strip())
        or len(line.split()) < 2
        or bool(navigation)
    )


def quirky(text, words):
    """What datatrove's own definitions change."""
    lines, elements = (
        [line for line in text.split("\n") if line.strip()],
        re.split("\n+", text),
    )
    paragraphs = re.split(r"\n{2,}", text.strip("\n"))
    every = text.splitlines()
    return {
        "dup_line_frac": copies(elements)[0],
        "dup_line_char_frac": copies(elements)[1] / len(text),
        "dup_para_frac": copies(paragraphs)[0],
        "dup_para_char_frac": copies(paragraphs)[1] / len(text),
        "bullet_lines_frac": (
            sum(line.strip().startswith(("•", "-")) for line in every) / len(every)
        ),
        "ellipsis_lines_frac": (
            sum(line.strip().endswith(("...", "…")) for line in every) / len(every)
        ),
        "line_punct_frac": (
            sum(line[-1] in ".?!。！？؟।॥" for line in lines) / max(len(lines), 1)
        ),
        **{f"top_{n}_gram_frac": top_frac(text, words, n, 1) for n in (2, 3, 4)},
        **{f"dup_{n}_gram_frac": greedy_frac(text, words, n) for n in range(5, 11)},
    }


def character_shares(text):
    share = lambda pattern: sum(map(len, re.findall(pattern, text))) / len(text)  # noqa: E731
    return {
        "digit_frac": share(r"\d"),
        "space_frac": share(r"\s"),
        "bracket_frac": share(r"[()\[\]{}⟨⟩]"),
        "non_alphanumeric_frac": share(r"[^a-zA-Z0-9\n?!,.]"),
        "url_frac": share(r'https?://[^\s"<]*'),
    }


def c4_counts(text):
    """C4's order, line by line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    counts = Counter()
    for suffix in ("", "_any_end"):
        for line in lines:
            cut = re.sub(r"\[(\d*|edit|citation needed)\]", "", line)
            ended = cut.endswith((".", "?", "!", '"', "'")) and not cut.endswith("...")
            if (
                len(line.split()) < 3
                or max(map(len, line.split())) > 1000
                or not (ended or suffix)
            ):
                continue
            counts["c4_lorem_lines" + suffix] += "lorem ipsum" in line.lower()
            if "javascript" in line.lower():
                continue
            counts["c4_curly_lines" + suffix] += "{" in line
            if any(phrase.decode() in line.lower() for phrase in POLICY_PHRASES):
                continue
            counts["c4_kept_lines" + suffix] += 1
            pieces = re.split(r"[.?!。！？](?=[\s\"'”’»)\]}]|$)", line)
            counts["c4_sentences" + suffix] += max(
                1, sum(bool(re.search(r"\w", piece)) for piece in pieces)
            )
    names = [
        name + suffix
        for name in ("c4_lorem_lines", "c4_curly_lines", "c4_sentences")
        for suffix in ("", "_any_end")
    ]
    return {name: counts[name] for name in names} | {
        "c4_kept_lines_frac": counts["c4_kept_lines"] / max(len(lines), 1)
    }


def foreign(text, words, lang):
    """What is measured otherwise in Latin texts that are not English."""
    letters = re.findall(r"[^\W_]|[\w\n,.?!\"'…”’»。]", text)
    known = {"non_alphanumeric_frac": 1 - len(letters) / len(text)}
    if lang in FUNCTION_WORDS:
        listed = FUNCTION_WORDS[lang].split()
        known["stop_words"] = len(set(listed) & set(words))
    return known


def slow(text, words_kind="datatrove", min_count=2, quirks="none"):
    words = split_words(text, words_kind)
    named = [word for word in words if re.search(r"\w", word)]
    lines = [line for line in text.split("\n") if line.strip()]
    stripped = [line.strip() for line in lines]
    paragraphs = [
        part
        for part in re.split(r"\n(?:[^\S\n]*\n)+", "\n" + text + "\n")
        if part.strip()
    ]
    paragraphs = [
        re.sub(r"^(?:[^\S\n]*\n)+|(?:\n[^\S\n]*)+$", "", part) for part in paragraphs
    ]
    share = lambda mask: sum(mask) / max(len(lines), 1)  # noqa: E731
    return {
        "words": len(words),
        "named_words": len(named),
        "mean_word_length": sum(map(len, named)) / max(len(named), 1),
        "hash_word_ratio": text.count("#") / max(len(words), 1),
        "ellipsis_word_ratio": (
            (text.count("...") + text.count("…")) / max(len(words), 1)
        ),
        "alphabetic_words_frac": (
            sum(any(c.isalpha() for c in word) for word in words) / max(len(words), 1)
        ),
        "stop_words": len(set(STOP_WORDS) & set(words)),
        "dup_line_frac": copies(lines)[0],
        "dup_line_char_frac": copies(lines)[1] / len(text),
        "dup_para_frac": copies(paragraphs)[0],
        "dup_para_char_frac": copies(paragraphs)[1] / len(text),
        "bullet_lines_frac": share(line.startswith(("•", "-")) for line in stripped),
        "ellipsis_lines_frac": share(line.endswith(("...", "…")) for line in stripped),
        "line_punct_frac": share(line[-1] in TERMINAL for line in stripped),
        "short_line_frac": share(len(line) <= 30 for line in lines),
        "char_duplicates_frac": copies(lines)[1] / len(text.replace("\n", "")),
        "new_lines_per_word": text.count("\n") / max(len(words), 1),
        "long_lines": sum(len(line) >= 200 for line in lines),
        **c4_counts(text),
        **{
            f"top_{n}_gram_frac": top_frac(text, words, n, min_count) for n in (2, 3, 4)
        },
        **{f"dup_{n}_gram_frac": dup_frac(text, words, n) for n in range(5, 11)},
        "refinedweb_removed_words_frac": (
            sum(len(line.split()) for line in lines if refinedweb_removes(line))
            / max(len(text.split()), 1)
        ),
        **character_shares(text),
        "longest_word": max(map(len, text.split())),
        "policy_paragraphs_frac": (
            sum(
                any(p.decode() in part.lower() for p in POLICY_PHRASES)
                for part in paragraphs
            )
            / max(len(paragraphs), 1)
        ),
        **(quirky(text, words) if quirks == "datatrove" else {}),
    }


def frame_of(texts):
    return documents(texts, [str(i) for i in range(len(texts))], "p")


@pytest.mark.parametrize(
    "settings",
    [
        Thresholds(),
        Thresholds(words="regex"),
        Thresholds(words="whitespace", top_min_count=1),
        Thresholds(quirks="datatrove"),
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_every_measure_is_what_its_slow_definition_says(settings, seed):
    texts = made_up(seed)
    fast = measure(frame_of(texts), settings).drop("id").to_dicts()
    langs = [row.pop("rules_lang") for row in fast]
    spaced = [lang != "und-Hani" for lang in langs]  # test_by_language has the others
    assert sum(spaced) >= 0.99 * len(texts) and langs.count("en") > 0.8 * len(texts)
    for text, row, lang in compress(zip(texts, fast, langs, strict=True), spaced):
        expected = slow(text, settings.words, settings.top_min_count, settings.quirks)
        if lang != "en":
            expected |= foreign(text, split_words(text, settings.words), lang)
        assert row == pytest.approx(expected), text


def test_c4_ends_lines_wherever_python_does():
    rng = random.Random(5)
    texts = [
        re.sub(
            "\n",
            lambda _: rng.choice(["\n", "\r\n", "\x0b", "\x85", "\u2028", "\x1c"]),
            text,
        )
        for text in made_up(5, 60)
    ]
    for text, row in zip(texts, measure(frame_of(texts)).to_dicts(), strict=True):
        expected = c4_counts(text)
        assert {name: row[name] for name in expected} == pytest.approx(expected), text


def test_measures_do_not_depend_on_neighbours_or_batches():
    frame = frame_of(made_up(9, 30))
    table = measure(frame)
    assert measure(frame.reverse()).reverse().equals(table)
    assert measure(iter([frame[:7], frame[7:]])).equals(table)
    assert pl.concat([measure(frame[i]) for i in range(frame.height)]).equals(table)


def test_every_rule_has_a_source_a_measure_and_a_threshold():
    measures = measure(frame_of(["a b c"])).columns
    for name, rule in RULES.items():
        assert re.search(r"\d{4}", rule.source), name
        assert (rule.measure in measures) == (rule.needs is None) and hasattr(
            Thresholds(), rule.threshold
        ), name
    assert {name for names in RULE_SETS.values() for name in names} <= set(RULES)


def test_defaults_are_the_published_ones():
    defaults = Thresholds()
    assert (
        defaults.min_doc_words,
        defaults.max_doc_words,
        defaults.min_stop_words,
    ) == (50, 100_000, 2)
    assert [getattr(defaults, f"top_{n}_gram") for n in (2, 3, 4)] == [0.20, 0.18, 0.16]
    assert [getattr(defaults, f"dup_{n}_gram") for n in range(5, 11)] == [
        0.15,
        0.14,
        0.13,
        0.12,
        0.11,
        0.10,
    ]
    assert (
        defaults.line_punct_thr,
        defaults.short_line_thr,
        defaults.char_duplicates_ratio,
        defaults.new_line_ratio,
    ) == (0.12, 0.67, 0.01, 0.3)


GOOD = """The council met on Tuesday to discuss the old bridge, and most of its members spoke in favour of repair.
Engineers who looked at the stone piers in spring said that they would last another century with some care.
A group of farmers asked for a wider road, because their new machines have trouble with the narrow turn.
Nobody knows yet what the work will cost, or whether the region is ready to pay its share of the bill.
"We will hear from the builders next month," the mayor told a local paper after the meeting had ended."""


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Too short, and that is all that there is to it.", "gopher_min_words"),
        ("spam and eggs with " * 60, "gopher_top_2_gram"),
        (
            "\n".join(["The very same line of the very same text."] * 20),
            "gopher_dup_line_frac",
        ),
        (GOOD + " {", "c4_curly_bracket_any_end"),
        (GOOD.replace("The council", "Lorem ipsum council"), "c4_lorem_ipsum_any_end"),
        (
            GOOD.replace(".\n", "\n").replace("ended.", "ended"),
            "fineweb_line_punctuation",
        ),
        (
            re.sub(r"\b(the|of|and|have|with|to|that)\b", "qua", GOOD),
            "gopher_stop_words",
        ),
    ],
)
def test_a_document_made_to_break_a_rule_breaks_it(text, rule):
    table = rule_table(frame_of([text, GOOD]))
    assert table[f"pass_{rule}"].to_list() == [False, True]
    assert table["rules_pass"].to_list() == [False, True]


def test_a_document_at_the_threshold_stays_and_none_switches_a_rule_off():
    measured = measure(frame_of([GOOD]))
    words = measured["named_words"].item()
    assert judge(measured, Thresholds(min_doc_words=words), "gopher")[
        "rules_pass"
    ].item()
    assert not judge(measured, Thresholds(min_doc_words=words + 1), "gopher")[
        "rules_pass"
    ].item()
    assert judge(
        measured, Thresholds(min_doc_words=None, max_doc_words=1), ["gopher_min_words"]
    )["rules_pass"].item()


def test_report_counts_drops_alone_and_in_order():
    frame = frame_of([GOOD, "Too short {", "Short too.", GOOD + "{"])
    table = rule_table(frame, rules=["gopher_min_words", "c4_curly_bracket_any_end"])
    report = rule_report(table, frame)
    assert report["rule"].to_list() == ["gopher_min_words", "c4_curly_bracket_any_end"]
    assert report["documents_alone"].to_list() == [2, 2]
    assert report["documents_in_order"].to_list() == [2, 1]
    assert report["characters_in_order"].to_list() == [21, len(GOOD) + 1]
    assert report["threshold"].to_list() == [50, 0]
    assert table["first_failed"].to_list() == [
        None,
        "gopher_min_words",
        "gopher_min_words",
        "c4_curly_bracket_any_end",
    ]


def test_an_unknown_rule_lists_the_known_ones():
    with pytest.raises(
        InputError,
        match=(
            "'gophr'; sets are gopher, c4, fineweb, refinedweb, curator, url; rules are"
            " gopher_dup_para_frac"
        ),
    ):
        rule_table(frame_of(["a"]), rules="gophr")


@pytest.mark.parametrize("quirks", ["none", "datatrove"])
@pytest.mark.parametrize(
    "texts", [[""], ["", "", "\n", "a"], ["\n\n", " \n ", "\0\0"], ["x\n", "\nx", "ü"]]
)
def test_empty_documents_are_measured(texts, quirks):
    table = measure(frame_of(texts), Thresholds(quirks=quirks))
    assert table.height == len(texts)
    numbers = table.drop("id", "rules_lang")
    assert numbers.select(pl.all().is_finite().all()).row(0) == (True,) * numbers.width


def test_documents_without_words_or_lines_are_measured():
    row = measure(frame_of(["!!!", "a", "\u200b"])).to_dicts()
    assert [r["named_words"] for r in row] == [0, 1, 0]


def test_examples_show_what_a_rule_drops():
    frame = frame_of([GOOD, "Too short {", "Short\ntoo.", GOOD + "{"])
    table = rule_table(frame, rules=["gopher_min_words", "c4_curly_bracket_any_end"])
    rows = rule_examples(table, frame, per_rule=2, chars=9)
    assert (
        rows["rule"].to_list()
        == ["gopher_min_words"] * 2 + ["c4_curly_bracket_any_end"] * 2
    )
    assert sorted(rows["starts"][:2]) == ["Short⏎too", "Too short"]
    assert rows["starts"][2:].to_list() == [
        GOOD[:9],
        "Too short",
    ]  # first what no rule before it drops
    assert rows["in_order"].to_list() == [True, True, True, False]
    assert rows["value"].to_list()[2:] == [1, 1] and rows["threshold"].to_list() == [
        50,
        50,
        0,
        0,
    ]


def test_quirks_must_be_known():
    with pytest.raises(InputError, match="no quirks 'dolma'.*none, datatrove"):
        Thresholds(quirks="dolma")


def test_a_huge_document_is_judged_by_its_beginning(monkeypatch):
    monkeypatch.setattr(rules, "MEASURED_CHARS", 60)
    assert (
        measure(frame_of(["word " * 50, "ü" * 40]))
        .drop("id")
        .equals(measure(frame_of(["word " * 12, "ü" * 40])).drop("id"))
    )
