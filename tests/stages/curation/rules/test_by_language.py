"""Paragraphs of 23 languages are kept by every rule set, and what is wrong with one drops it in its language too."""

import json
from pathlib import Path

import polars as pl
import pytest

from stages.curation.names import TOKENISERS
from stages.curation.reading.documents import documents
from stages.curation.rules.by_language import SHORTER, note
from stages.curation.rules.cleaning import c4_cleaned, refinedweb_cleaned
from stages.curation.rules.rule_list import RULE_SETS
from stages.curation.rules.rules import Thresholds, judge, measure, rule_table

TEXTS = json.loads((Path(__file__).parent / "paragraphs.json").read_text("utf-8"))
UNSPACED = ["zh", "ja", "th", "lo", "km", "my"]


def pool(texts, langs=None):
    return documents(texts, [str(i) for i in range(len(texts))], "p", langs=langs)


@pytest.fixture(scope="module")
def frame():
    return pool(list(TEXTS.values()))


@pytest.mark.parametrize("rules", [name for name in RULE_SETS if name != "url"])
@pytest.mark.parametrize("words", TOKENISERS)
def test_no_rule_set_drops_a_language(frame, rules, words):
    table = rule_table(frame, Thresholds(words=words), rules)
    assert table["rules_lang"].to_list() == list(TEXTS)
    assert table["first_failed"].to_list() == [None] * len(TEXTS)


def test_cleaning_leaves_every_language_whole(frame):
    for clean in (c4_cleaned, refinedweb_cleaned):
        done = clean(frame)
        assert done["dropped"].null_count() == frame.height
        assert done["text"].to_list() == frame["text"].to_list()


def test_measures_do_not_depend_on_neighbours(frame):
    table = measure(frame)
    assert measure(frame.reverse()).reverse().equals(table)
    assert pl.concat([measure(frame[i]) for i in range(frame.height)]).equals(table)


@pytest.mark.parametrize("lang", [*UNSPACED, "ru", "ko", "fi", "ar"])
def test_repeats_are_found_in_every_script(lang):
    part = TEXTS[lang][: len(TEXTS[lang]) // 3]
    table = rule_table(pool([(part + " ") * 8]), rules="gopher")
    assert not table["pass_gopher_dup_5_gram"].item()
    assert not table["pass_gopher_dup_10_gram"].item()


@pytest.mark.parametrize("lang", list(TEXTS))
def test_a_text_too_short_in_any_language_is_dropped(lang):
    short = TEXTS[lang][: len(TEXTS[lang]) // 5]
    assert rule_table(pool([short]))["first_failed"].item() == "gopher_min_words"


def test_words_without_spaces_are_counted_by_their_characters():
    # 17 characters at 1.7 a word, and two words that stand apart
    row = measure(pool(["我们在河边的集市上看见了那座老桥 Intel 2024"])).row(
        0, named=True
    )
    assert row["named_words"] == pytest.approx(16 / 1.7 + 2)
    korean = measure(pool(["작은 도시의 의회는 화요일에 모여"])).row(0, named=True)
    assert korean["named_words"] == 5
    tibetan = measure(pool(["བོད་ཡིག་གི་ཚིག"])).row(0, named=True)
    assert tibetan["named_words"] == 4


def test_a_declared_language_counts_where_its_words_are_missing_and_its_script_agrees():
    names = "Москва Казань Самара Томск Омск Пермь Уфа Тула Псков Рязань " * 2
    table = rule_table(pool([names] * 4, ["ru", "rus", None, "de"]), rules="gopher")
    assert table["rules_lang"].to_list() == ["ru", "ru", "und-Cyrl", "und-Cyrl"]
    assert table["pass_gopher_stop_words"].to_list() == [False, False, True, True]


def test_english_without_function_words_is_still_judged_as_english():
    shop = (
        "cheap shoes online store discount brand watches handbags sale price free"
        " shipping order best quality leather wallets sunglasses women fashion summer"
    )
    table = rule_table(pool([shop]), rules=["gopher_stop_words"])
    assert table["rules_lang"].item() == "en" and not table["rules_pass"].item()


def test_limits_follow_the_length_of_words():
    measured = pl.DataFrame(
        {
            "id": list("abcd"),
            "rules_lang": ["en", "ko", "ko", "und-Geor"],
            "mean_word_length": [2.5, 2.5, 1.9, 2.5],
        }
    )
    # 3 characters of English are 3 * 3.1 / 4.7 = 1.98 of Korean
    passed = judge(measured, rules=["gopher_min_word_length"])["rules_pass"]
    assert passed.to_list() == [False, True, False, True]
    assert SHORTER["zh"] == pytest.approx(1.7 / 5.7) and SHORTER["fi"] == 1


def test_short_lines_of_chinese_are_shorter_than_those_of_english():
    lines = ["这个小城的议会在星期二开会。"] * 9 + ["短的。"]  # of 14 and 3 characters
    assert measure(pool(["\n".join(lines)]))["short_line_frac"].item() == 0.1


def test_the_note_counts_what_no_table_knows():
    assert note({"en": 3, "ru": 2}, "web") is None
    assert note({"en": 3, "und-Geor": 1_000}, "web").startswith(
        "web: 1,000 of 1,003 documents are in no language of the table (und-Geor 1,000)"
    )
    many = {f"und-{name}": 1 for name in "ABCDEFGH"}
    assert len(note(many, "web")) < 300 and "and 3 more" in note(many, "web")
