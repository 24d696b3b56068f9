import re

import numpy as np
import polars as pl
import pytest

from stages.curation.characters import block_of
from stages.curation.words import prefix_sums, word_hash, words_of
from stages.errors import InputError

TEXTS = ["Don't stop: U.S. well-known!", "", "a..b 3.14 x_1 -dash- end.", "naïve café’s … “quoted”", "日本 語", "\t \n"]
PATTERNS = {"datatrove": r"\w+(?:['’.\-]\w+)*|[^\w\s]", "whitespace": r"\S+"}


def words(texts, tokeniser):
    block = block_of(pl.Series(texts, dtype=pl.String))
    return block, words_of(block, block.flags(), prefix_sums(block.codes), tokeniser)


@pytest.mark.parametrize("tokeniser", PATTERNS)
@pytest.mark.parametrize("texts", [TEXTS, TEXTS[:3]])
def test_words_are_those_of_the_regular_expression(tokeniser, texts):
    block, found = words(texts, tokeniser)
    chars = [chr(code) for code in block.codes]
    for doc, text in enumerate(texts):
        spans = range(found.docs[doc], found.docs[doc + 1])
        assert ["".join(chars[found.starts[i] : found.ends[i]]) for i in spans] == re.findall(PATTERNS[tokeniser], text)


def test_what_a_word_holds():
    _, found = words(["Ab 12 . _ é… ?!"], "datatrove")
    assert found.named.tolist() == [True, True, False, True, True, False, False, False]
    assert found.alphabetic.tolist() == [True, False, False, False, True, False, False, False]
    assert found.sums(np.ones(8)).tolist() == [8]


def test_equal_words_have_equal_hashes_and_case_matters():
    _, found = words(["the The the", "the"], "datatrove")
    first = word_hash("the")
    assert (found.hashes == np.uint64(first)).tolist() == [True, False, True, True]


def test_a_tokeniser_must_exist():
    with pytest.raises(InputError, match="no tokeniser 'spacy'.*datatrove, whitespace"):
        words(["a"], "spacy")
