"""Kneser-Ney: chances that sum to 1, equal to a plain implementation, saved and read back bit for bit."""

import math
import random
from collections import Counter, defaultdict

import numpy as np
import polars as pl
import pytest

from stages.curation.scores.ngram_model import Ngram, load_ngram, train_ngram
from stages.curation.scores.ngram_table import KeyTable
from stages.foundation.errors import InputError

TRAIN = [
    "the cat sat on the mat",
    "the dog sat on the log",
    "a cat and a dog sat",
    "the cat ate",
] * 2 + ["one more odd line on the mat"]


def plain_kneser_ney(lines, order):
    """Dictionaries and recursion; p(word | context tuple)."""
    counts = [Counter() for _ in range(order + 1)]
    for line in lines:
        words = ["<s>"] * (order - 1) + line
        for i in range(order - 1, len(words)):
            counts[order][tuple(words[i - order + 1 : i + 1])] += 1
    for k in range(order - 1, 0, -1):
        for gram in counts[k + 1]:
            counts[k][gram[1:]] += 1
    discount, total, passed = {}, defaultdict(float), defaultdict(float)
    for k in range(1, order + 1):
        n1, n2 = (sum(c == n for c in counts[k].values()) for n in (1, 2))
        discount[k] = n1 / (n1 + 2 * n2) if n1 and n2 else 0.75
        for gram, c in counts[k].items():
            total[gram[:-1]] += c
            passed[gram[:-1]] += min(c, discount[k])

    def chance(word, context):
        if context is None:
            return 1 / (len(counts[1]) + 1)
        shorter = chance(word, context[1:] if context else None)
        if not total[context]:
            return shorter
        c = counts[len(context) + 1][(*context, word)]
        return (
            max(c - discount[len(context) + 1], 0) / total[context]
            + passed[context] / total[context] * shorter
        )

    return chance, sorted(gram[0] for gram in counts[1])


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_it_is_kneser_ney(order):
    lines = [text.split() for text in TRAIN]
    chance, vocabulary = plain_kneser_ney(lines, order)
    assert sum(
        chance(word, ("the",) * (order - 1)) for word in [*vocabulary, "zebra"]
    ) == pytest.approx(1)
    model = train_ngram(pl.Series(TRAIN), Ngram(order=order))
    for text in ("the cat sat on the log", "zebra cat the the mat", "dog"):
        words = ["<s>"] * (order - 1) + text.split()
        expected = -sum(
            math.log(chance(words[i], tuple(words[i - order + 1 : i])))
            for i in range(order - 1, len(words))
        )
        nats, tokens = model.document_nats(pl.Series([text]))
        assert nats[0] == pytest.approx(expected, rel=1e-5) and tokens[0] == len(
            text.split()
        )


def test_chances_sum_to_one_over_what_was_seen_and_one_new_word():
    model = train_ngram(pl.Series(TRAIN), Ngram(order=3))
    words = [*sorted({word for text in TRAIN for word in text.split()}), "zebra"]
    alone = model.document_nats(pl.Series(["the cat"]))[0][0]
    nats, _ = model.document_nats(pl.Series([f"the cat {word}" for word in words]))
    assert np.exp(alone - nats).sum() == pytest.approx(1, abs=1e-5)
    chars = train_ngram(pl.Series(TRAIN), Ngram(unit="character", order=4))
    letters = [*sorted(set("".join(TRAIN))), "Z"]
    nats, _ = chars.document_nats(pl.Series([f"the c{letter}" for letter in letters]))
    assert np.exp(
        chars.document_nats(pl.Series(["the c"]))[0][0] - nats
    ).sum() == pytest.approx(1, abs=1e-5)


def test_neither_batches_nor_neighbours_change_a_document():
    rng = random.Random(0)
    texts = pl.Series(
        [
            " ".join(rng.choices("ab cd ef gh ij kl mn".split(), k=rng.randint(0, 40)))
            for _ in range(200)
        ]
    )
    model = train_ngram(texts)
    streamed = train_ngram(iter([texts[:70], texts[70:]]))
    nats, tokens = model.document_nats(texts)
    assert np.array_equal(streamed.document_nats(texts)[0], nats)
    parts = [model.document_nats(texts[:33]), model.document_nats(texts[33:])]
    assert np.array_equal(np.concatenate([part[0] for part in parts]), nats)
    assert tokens.sum() == sum(len(text.split()) for text in texts) == model.n_tokens


def test_higher_orders_fit_better_where_there_is_order():
    def line(rng):
        at, out = rng.randrange(50), []
        for _ in range(60):
            at = (at + 1) % 50 if rng.random() < 0.8 else rng.randrange(50)
            out.append(f"w{at}")
        return " ".join(out)

    train, test = (
        pl.Series([line(random.Random(seed * 10_000 + i)) for i in range(500)])
        for seed in (1, 2)
    )
    nats = [
        train_ngram(train, Ngram(order=order)).document_nats(test)[0].sum() / (500 * 60)
        for order in (1, 2)
    ]
    assert nats[0] == pytest.approx(math.log(50), abs=0.05)
    truth = -(0.804 * math.log(0.804) + 0.196 * math.log(0.004))
    assert nats[1] == pytest.approx((math.log(50) + 59 * truth) / 60, abs=0.08)


def test_a_model_is_saved_whole_and_read_back_exactly(tmp_path):
    model = train_ngram(pl.Series(TRAIN), Ngram(order=3))
    model.save(tmp_path / "model", {"trained_on": {"hash": "x"}})
    again, card = load_ngram(tmp_path / "model")
    texts = pl.Series(["the cat sat", "", "no such words"])
    assert np.array_equal(again.document_nats(texts)[0], model.document_nats(texts)[0])
    assert (
        card["trained_on"] == {"hash": "x"}
        and card["n_tokens"] == model.n_tokens
        and card["params"] == {"unit": "word", "order": 3}
    )
    (tmp_path / "model/arrays.npz").write_bytes(
        (tmp_path / "model/arrays.npz").read_bytes()[:-40]
    )
    with pytest.raises(InputError, match="arrays.npz"):
        load_ngram(tmp_path / "model")
    with pytest.raises(InputError, match="holds no readable card.json"):
        load_ngram(tmp_path)


def test_keys_are_found_exactly_where_buckets_are_full_or_empty():
    rng = np.random.default_rng(0)
    for keys in (
        rng.integers(0, 2**63, 5000, dtype=np.uint64) * 2,
        np.arange(300, dtype=np.uint64),
        np.array([2**64 - 1], np.uint64),
    ):
        keys = np.unique(keys)
        table = KeyTable.of(keys)
        assert np.array_equal(table.find(keys), np.arange(len(keys)))
        others = np.setdiff1d(
            rng.integers(0, 2**63, 5000, dtype=np.uint64) * 2 + 1, keys
        )
        assert (table.find(others) == len(keys)).all()


def test_mistakes_are_named():
    with pytest.raises(InputError, match="unit is one of word, character"):
        Ngram(unit="byte")
    with pytest.raises(InputError, match="holds no word"):
        train_ngram(pl.Series(["...", ""]))
