import polars as pl
import pytest

from stages.curation.text.scripts import (
    LATIN,
    NO_ENDS,
    SPACED,
    UNSPACED_SCRIPTS,
    UNSPACED_WRITING,
    main_scripts,
    writing,
)


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("", "Latn"),
        ("12 + 3 … “quoted” — 🙂 ☃ é", "Latn"),
        ("Straße Đường ẃ", "Latn"),
        ("Совет", "Cyrl"),
        ("An English text about the word Совет, once.", "Latn"),
        ("Python 3.11 で書かれたプログラムの説明と使い方", "Jpan"),
        ("漢字", "Hani"),
        ("漢字かな", "Jpan"),
        ("한국어 漢字", "Hang"),
        ("ภาษาไทย", "Thai"),
        ("ქართული", "Geor"),
        ("한국어", "Hang"),
    ],
)
def test_the_script_of_a_text(text, script):
    assert main_scripts(pl.Series([text, "plain", text])) == [script, "Latn", script]


def test_how_scripts_write():
    assert writing("Latn") == LATIN and writing("Cyrl") == SPACED
    assert writing("Hang") == SPACED and writing("Thai") == UNSPACED_WRITING
    assert set(NO_ENDS) <= set(UNSPACED_SCRIPTS)
