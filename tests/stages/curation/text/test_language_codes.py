"""Codes as people write them become the model's label; what is no code is refused in one line."""

import pytest

from stages.curation.text.language_codes import (
    LABELS,
    OTHER_CODES,
    model_code,
    model_codes,
)
from stages.foundation.errors import InputError


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        *[(tag, "en") for tag in ("en", "EN", "eng", "Eng", "en-US", "en_GB", " en ")],
        *[(tag, "zh") for tag in ("zh-Hant-TW", "zho", "chi", "cmn", "zh_CN")],
        *[(tag, "de") for tag in ("deu", "ger", "DE-at-1996")],
        *[("nb", "no"), ("iw", "he"), ("fil", "tl"), ("pt-BR", "pt"), ("CEB", "ceb")],
    ],
)
def test_every_way_to_write_a_language_is_one_code(tag, code):
    assert model_code(tag) == code


@pytest.mark.parametrize("tag", ["", "e", "english", "xx", "en-", "en US", "qqq", "e1"])
def test_what_is_no_code_of_the_model_is_refused(tag):
    assert model_code(tag) is None
    with pytest.raises(InputError, match="such as en, eng or en-US") as error:
        model_codes(["en", tag])
    assert len(str(error.value)) < 300 and "\n" not in str(error.value)


def test_other_codes_lead_to_labels_and_are_none_themselves():
    assert set(OTHER_CODES.values()) <= LABELS and not LABELS & set(OTHER_CODES)
