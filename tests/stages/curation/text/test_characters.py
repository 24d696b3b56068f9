import itertools
import random

import numpy as np
import polars as pl
import pytest

from stages.curation.text.characters import (
    block_of,
    blocks,
    composed,
    mixed,
    ngram_hashes,
    plain_words,
    segment_hashes,
    word_blocks,
)

TEXTS = ["Hello, hello world", "", "ÉCOLE école x_1", "日本語 text", "…!?", "tail"]


def word_lists(texts, block_chars=1 << 19):
    docs = []
    for _, block in blocks(pl.Series(texts, dtype=pl.String), block_chars):
        block_hashes, bounds = plain_words(block)
        docs += [block_hashes[a:b].tolist() for a, b in itertools.pairwise(bounds)]
    return docs


def test_words_are_lower_case_without_punctuation():
    docs = word_lists(TEXTS)
    assert [len(words) for words in docs] == [3, 0, 3, 4, 0, 1]
    assert docs[0][0] == docs[0][1] != docs[0][2]
    assert docs[2][0] == docs[2][1]


def test_a_character_without_spaces_around_is_a_word_in_cjk():
    assert word_lists(["日本語"])[0] == word_lists(["日 本 語"])[0]


@pytest.mark.parametrize("block_chars", [1, 5, 20, 1 << 19])
def test_hashes_do_not_depend_on_blocks_neighbours_or_encoding(block_chars):
    assert word_lists(TEXTS, block_chars) == word_lists(TEXTS)
    assert (
        word_lists(["Hello, hello world"])
        == word_lists(["Hello, hello world", "é"])[:1]
    )


@pytest.mark.parametrize("block_bytes", [1, 20, 1 << 20])
def test_words_of_utf8_are_those_of_code_points(block_bytes):
    """Every kind of character, of one to four bytes, in 200 random texts."""
    rng = random.Random(0)
    letters = "aZ_9 -.\n\u00e9\u00df\u0130\u0301\u4e2d\u3042\u0e01\u0e31\u1780"
    letters += "\u17d2\uac00\u05d0\U0001f600\U00020001\U0001d400"
    texts = ["".join(rng.choices(letters, k=rng.randrange(60))) for _ in range(200)]
    found = []
    for rows, hashes, bounds in word_blocks(pl.Series([*TEXTS, *texts]), block_bytes):
        assert rows.stop - rows.start == len(bounds) - 1
        found += [hashes[a:b].tolist() for a, b in itertools.pairwise(bounds)]
    assert found == word_lists([*TEXTS, *texts])


def test_no_text_has_no_words():
    assert list(word_blocks(pl.Series([], dtype=pl.String))) == []
    ((rows, hashes, bounds),) = word_blocks(pl.Series(["", ""]))
    assert (rows, len(hashes), bounds.tolist()) == (slice(0, 2), 0, [0, 0, 0])


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("e\u0301t\u00e9", "\u00e9t\u00e9"),
        ("\u1112\u1161\u11ab", "\ud55c"),
        ("x\u00b2 \ufb01", "x\u00b2 \ufb01"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_texts_are_composed_and_nothing_else(text, right):
    assert composed(pl.Series(["before", text, "\u4e2d"])).to_list() == [
        "before",
        right,
        "\u4e2d",
    ]


def test_blocks_cover_every_row_once():
    texts = pl.Series(["a" * n for n in (1, 10, 100, 3, 0, 7)])
    rows = [row for part, _ in blocks(texts, 12) for row in range(len(texts))[part]]
    assert rows == list(range(6))


def test_a_block_knows_where_documents_start():
    block = block_of(pl.Series(["ab", "", "c"]))
    assert block.doc_starts.tolist() == [0, 3, 4, 6]
    assert bytes(block.codes) == b"ab\n\nc\n"
    assert (
        block.codes.dtype == np.uint8
        and block_of(pl.Series(["é"])).codes.dtype == np.uint32
    )


def test_segment_hash_ignores_the_place_but_not_the_order():
    values = np.array([1, 2, 3, 0, 1, 2, 3, 3, 2, 1], dtype=np.uint32)
    first, second, third = segment_hashes(values, np.array([0, 4, 7]))
    assert first == second != third
    assert len(segment_hashes(values, np.zeros(0, dtype=np.int64))) == 0


def test_ngram_hashes_tell_order_and_length_apart():
    words = mixed(np.array([1, 2, 3, 1, 2, 3], dtype=np.uint64))
    pairs = ngram_hashes(words, 2)
    assert pairs[0] == pairs[3] and len(set(pairs.tolist())) == 3
    assert len(ngram_hashes(words, 7)) == 0


def test_hashes_are_fixed_for_ever():
    """Signatures on disk stay comparable with those of later versions."""
    assert word_lists(["fixed"])[0] == [16282320648329155687]
