import re

import numpy as np
import polars as pl
import pytest

from stages.curation.text.characters import block_of
from stages.curation.text.words import word_hash, words_of
from stages.foundation.errors import InputError

TEXTS = [
    "Don't stop: U.S. well-known!",
    "",
    "a..b 3.14 x_1 -dash- end.",
    "naïve café’s … “quoted”",
    "日本 語",
    "\t \n",
]
PATTERNS = {"regex": r"\w+(?:['’.\-]\w+)*|[^\w\s]", "whitespace": r"\S+"}


def words(texts, tokeniser):
    block = block_of(pl.Series(texts, dtype=pl.String))
    return block, words_of(block, block.flags(), tokeniser)


@pytest.mark.parametrize("tokeniser", PATTERNS)
@pytest.mark.parametrize("texts", [TEXTS, TEXTS[:3]])
def test_words_are_those_of_the_regular_expression(tokeniser, texts):
    block, found = words(texts, tokeniser)
    assert spelled(block, found) == [
        re.findall(PATTERNS[tokeniser], text) for text in texts
    ]


def spelled(block, found):
    chars = [chr(code) for code in block.codes]
    words = [
        "".join(chars[start:end])
        for start, end in zip(found.starts, found.ends, strict=True)
    ]
    return [words[found.docs[doc] : found.docs[doc + 1]] for doc in range(block.n_docs)]


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("Plain words here", "Plain|words|here"),
        ('He said: "Stop (now)!"', 'He|said|:|"|Stop|(|now|)|!|"'),
        ("well-known, 14-year-old F-16", "well|-|known|,|14|-|year|-|old|F-16"),
        ("It's the dogs' and we're", "It|'s|the|dogs|'|and|we|'re"),
        ("The U.S. and e.g. this end. Next", "The|U.S.|and|e.g.|this|end|.|Next"),
        ("wait... what.. NATO. …so", "wait|...|what|..|NATO|.|…|so"),
        ("1,000 3.14 5*3 x**2 f(x)", "1,000|3.14|5|*|3|x**2|f(x|)"),
        ("see https://a.org/b-c/d now", "see|https://a.org/b-c/d|now"),
        ("and/or a=b name_x _it_", "and|/|or|a|=|b|name_x|_|it|_"),
        ("“Quoted” – dash—dash $5 10%", "“|Quoted|”|–|dash|—|dash|$|5|10|%"),
    ],
)
def test_datatrove_words_are_cut_at_both_ends_and_then_inside(text, cut):
    assert spelled(*words([text], "datatrove")) == [cut.split("|")]


def test_what_a_word_holds():
    _, found = words(["Ab 12 . _ é… ?!"], "regex")
    assert found.named.tolist() == [True, True, False, True, True, False, False, False]
    assert found.alphabetic.tolist() == [
        True,
        False,
        False,
        False,
        True,
        False,
        False,
        False,
    ]
    assert found.sums(np.ones(8)).tolist() == [8]


def test_equal_words_have_equal_hashes_and_case_matters():
    _, found = words(["the The the", "the"], "datatrove")
    first = word_hash("the")
    assert (found.hashes == np.uint64(first)).tolist() == [True, False, True, True]


def test_a_tokeniser_must_exist():
    with pytest.raises(
        InputError, match="no tokeniser 'spacy'.*datatrove, regex, whitespace"
    ):
        words(["a"], "spacy")
