"""Which language a text is judged by; the paragraphs of many languages are in rules/test_by_language."""

from dataclasses import replace

import polars as pl
import pytest

from stages.curation.text.characters import block_of
from stages.curation.text.scripts import main_scripts, writing
from stages.curation.text.words import words_of
from stages.curation.text.written import own_function_words, trigrams_of, written_in


def judged(text, declared=None):
    texts = pl.Series([text])
    script = main_scripts(texts)[0]
    block = replace(block_of(texts), writing=writing(script))
    words = words_of(block, block.flags(), "datatrove")
    langs = written_in(texts, words, script, pl.Series([declared], dtype=pl.String))
    return langs[0], own_function_words(texts, words, langs)[0]


@pytest.mark.parametrize(
    ("text", "lang", "found"),
    [
        ("Der Rat sprach über die Brücke und den Fluss.", "de", 3),
        ("Мост для нас был или не был на карте, но это так.", "ru", 8),
        ("这是我们的桥", "zh", 4),
        ("橋はどこにあるのか", "ja", 3),
    ],
)
def test_the_language_of_most_function_words_and_how_many_it_holds(text, lang, found):
    assert judged(text) == (lang, found)


def test_a_long_text_is_sampled_and_named_alike():
    german = "Der Rat sprach lange über die Brücke und den Fluss bei Nacht. " * 400
    assert judged(german)[0] == "de"


def test_a_declared_language_yields_to_the_words_and_to_the_script():
    assert judged("Der Rat sprach über die Brücke und den Fluss.", "en")[0] == "de"
    assert judged("Москва Казань Самара", "ru")[0] == "ru"
    assert judged("Москва Казань Самара", "en")[0] == "und-Cyrl"
    assert judged("Москва Казань Самара", "no code")[0] == "und-Cyrl"


def test_letters_tell_english_from_a_language_without_a_table():
    zulu = "Bahlanganiswe wumcabango nangunembeza futhi kufanele baphathane ngomoya"
    assert judged(zulu)[0] == "und-Latn"
    assert judged("bridge river stone council engineer meeting repair road")[0] == "en"


def test_trigrams():
    assert trigrams_of(["ab", "c"]) == ["_ab", "ab_", "_c_"]
