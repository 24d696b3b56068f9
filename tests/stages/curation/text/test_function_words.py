"""The table is whole: each language has words that are words, and sizes that can be."""

import pytest

from stages.curation.text.function_words import (
    FUNCTION_WORDS,
    INSIDE,
    MEASURED,
    script_word_chars,
)


def test_every_language_has_words_and_sizes():
    assert set(FUNCTION_WORDS) == set(MEASURED) and set(INSIDE) < set(FUNCTION_WORDS)
    for lang, words in FUNCTION_WORDS.items():
        assert len(set(words.split())) >= 10 and words == words.lower(), lang
    for lang, (chars, words, marks) in MEASURED.items():
        assert 1 < chars < 9 and 0.5 < words < 1.5 and 0.5 < marks < 1.5, lang
    assert MEASURED["en"] == (4.7, 1, 1)


def test_scripts_without_spaces_have_the_sizes_of_their_language():
    assert script_word_chars("Hani") == 1.7
    assert script_word_chars("Unsp") == pytest.approx(4.7)
