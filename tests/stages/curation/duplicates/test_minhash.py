import random
import unicodedata

import numpy as np
import polars as pl
import pytest

from stages.curation.duplicates.minhash import permutations, signatures, sketch_matrix
from stages.curation.duplicates.settings import MinHash
from stages.curation.kernels.minhash import shingle_minima
from stages.curation.reading.documents import documents

WORDS = [f"w{i}" for i in range(3000)]
FINEWEB = MinHash(bands=14, rows=8)


def frame_of(texts):
    return documents(texts, [str(i) for i in range(len(texts))], "p")


def text(rng, n):
    return " ".join(rng.choices(WORDS, k=n))


def test_candidates_follow_the_curve():
    assert MinHash().probability(0.8) == pytest.approx(0.9977, abs=5e-4)
    assert FINEWEB.probability(0.8) == pytest.approx(0.924, abs=5e-4)
    assert FINEWEB.probability(0.5) == pytest.approx(0.053, abs=1e-3)


def test_equal_rows_estimate_jaccard_similarity():
    rng = np.random.default_rng(0)
    shared, first, second = (
        rng.integers(0, 1 << 32, n, dtype=np.uint64) for n in (600, 200, 200)
    )
    both = np.concatenate([shared, first, shared, second])
    minima = shingle_minima(
        both, np.array([0, 800, 1600]), 1, *permutations(MinHash(bands=250, rows=8))
    )
    assert (minima[0] == minima[1]).mean() == pytest.approx(
        0.6, abs=0.035
    )  # 2000 rows: sd 0.011


def test_chance_of_a_shared_key_is_what_the_formula_says():
    """200 pairs at similarity 0.78 or so: the share that becomes candidates, against 1 - (1 - s^8)^14."""
    rng, texts, similarity = random.Random(1), [], []
    for _ in range(200):
        words = text(rng, 200).split()
        other = list(words)
        for place in (30, 70, 110, 150):
            other[place] = "changed"
        texts += [" ".join(words), " ".join(other)]
        similarity.append((196 - 20) / (196 + 20))
    table = signatures(frame_of(texts), FINEWEB).select(FINEWEB.band_names()).to_numpy()
    found = (table[0::2] == table[1::2]).any(axis=1).mean()
    assert found == pytest.approx(
        FINEWEB.probability(np.mean(similarity)), abs=0.06
    )  # sd 0.02


def test_a_signature_depends_on_its_document_alone():
    rng = random.Random(2)
    frame = frame_of([text(rng, n) for n in (0, 1, 3, 5, 50, 400)])
    table = signatures(frame)
    assert table.equals(signatures(frame.reverse()).reverse())
    assert table.equals(signatures(iter([frame[:2], frame[2:]])))


def test_case_and_punctuation_change_exact_but_not_words():
    table = signatures(frame_of(["A fine day, is it not?", "a fine day is it not"]))
    assert table["exact"].n_unique() == 2
    assert table.drop("id", "exact").n_unique() == 1


def test_short_documents_match_only_the_same_words():
    table = signatures(frame_of(["one two", "one two three", "two one", "", "!", "?"]))
    assert table["band_00"].n_unique() == 5 or table["band_00"].n_unique() == 6
    assert table["words"].n_unique() == 6


def test_size_of_a_signature():
    sizes = signatures(frame_of(["a b c d e f"] * 1000)).drop("id").estimated_size()
    assert sizes / 1000 == 8 * (2 + 20 + 2) + 120


def test_parameters_are_free_and_checked():
    table = signatures(frame_of(["a b c d"]), MinHash(shingle_words=2, bands=3, rows=2))
    keys = ["exact", "words", "band_00", "band_01", "band_02", "shared_0", "shared_1"]
    assert table.columns == ["id", *keys, "sketch"]
    assert dict(table.schema)["band_00"] == pl.UInt64
    with pytest.raises(ValueError, match="bands is 0"):
        MinHash(bands=0)
    with pytest.raises(ValueError, match="threshold is 80; give one above 0"):
        MinHash(threshold=80)


def test_equal_bytes_of_sketches_estimate_similarity():
    """48 pairs at .6: 5,760 bytes, so the mean is known to .0065 and 1 in 256 agree by chance."""
    rng, texts = random.Random(4), []
    for _ in range(48):
        both = rng.sample(WORDS, 600)
        texts += [
            " ".join(both + [f"{end}{len(texts)}_{i}" for i in range(200)])
            for end in ("a", "b")
        ]
    table = signatures(frame_of(texts), MinHash(shingle_words=1))
    found = sketch_matrix(table).view(np.uint8)
    equal = (found[0::2] == found[1::2]).mean()
    assert equal == pytest.approx(0.6 + 0.4 / 256, abs=0.025)


@pytest.mark.parametrize(
    "text",
    [
        "C'\u00e9tait \u00e0 la fen\u00eatre, d\u00e9j\u00e0 c\u00f4t\u00e9 cour",
        "Ti\u1ebfng Vi\u1ec7t \u0111\u01b0\u1ee3c vi\u1ebft b\u1eb1ng ch\u1eef",
        "\ud55c\uad6d\uc5b4\ub294 \ud55c\uae00\ub85c \uc4f0\uace0 \uc77d\ub294 \ub9d0",
    ],
)
def test_composed_and_decomposed_text_are_the_same_words(text):
    forms = [unicodedata.normalize(form, text) for form in ("NFC", "NFD")]
    table = signatures(frame_of(forms))
    assert forms[0] != forms[1] and table["exact"].n_unique() == 2
    assert table.drop("id", "exact").n_unique() == 1


def test_superscripts_are_other_words():
    table = signatures(frame_of(["m\u00b2 and more of it", "m2 and more of it"]))
    assert table["words"].n_unique() == 2


def test_minima_are_those_of_a_plain_loop():
    rng, n = np.random.default_rng(3), 3
    words, docs = (
        rng.integers(0, 1 << 63, 30, dtype=np.uint64),
        np.array([0, 12, 14, 14, 30]),
    )
    factors, offsets = permutations(MinHash(bands=2, rows=3))
    found = shingle_minima(words, docs, n, factors, offsets)
    for doc in range(4):
        inside = [int(word) for word in words[docs[doc] : docs[doc + 1]]]
        hashes = [
            _mixed_32(
                sum(word * M ** (n - 1 - k) for k, word in enumerate(inside[i : i + n]))
            )
            for i in range(len(inside) - n + 1)
        ]
        expected = [
            min([(x * int(a) + int(b)) % 2**32 for x in hashes], default=2**32 - 1)
            for a, b in zip(factors, offsets, strict=True)
        ]
        assert found[doc].tolist() == expected


M = 0x9E3779B97F4A7C15


def _mixed_32(value):
    """The upper 32 bits of splitmix64's finaliser, in Python's whole numbers."""
    value %= 2**64
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    value = (value ^ value >> 27) * 0x94D049BB133111EB % 2**64
    return (value ^ value >> 31) >> 32


def test_korean_words_are_set_apart_by_spaces_and_chinese_ones_stand_alone():
    params = MinHash(shingle_words=1)
    texts = ["한국어 문장", "문장 한국어", "한국 어문장", "中文", "文 中"]
    words = signatures(frame_of(texts), params).select(params.band_names())
    same = [words.row(0) == words.row(row) for row in range(3)]
    assert same == [True, True, False]
    assert words.row(3) == words.row(4)
