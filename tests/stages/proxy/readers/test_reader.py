"""A proxy reads: the like is easier than the unlike, alone or in company, and again after a save."""

import numpy as np
import pytest
import torch

from stages.foundation.errors import InputError
from stages.proxy.readers.reader import load_reader, train_reader
from stages.proxy.tokens.packed import write_packed

VOCAB = 64


def chain(rng, n, habit):
    """Tokens that mostly follow `habit`, a permutation."""
    tokens = [int(rng.integers(1, VOCAB))]
    for _ in range(n - 1):
        tokens.append(
            int(habit[tokens[-1]])
            if rng.random() < 0.8
            else int(rng.integers(1, VOCAB))
        )
    return np.array(tokens)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """400 documents of one habit, then 40 of the same, 40 of another, 40 of none."""
    rng = np.random.default_rng(0)
    one, other = (
        np.concatenate([[0], 1 + np.roll(np.arange(VOCAB - 1), shift)])
        for shift in (1, 7)
    )
    documents = [chain(rng, int(rng.integers(20, 90)), one) for _ in range(440)] + [
        chain(rng, 60, other) for _ in range(40)
    ]
    documents += [rng.integers(1, VOCAB, 60) for _ in range(40)]
    rows = [(f"d{i}", tokens, 4 * len(tokens)) for i, tokens in enumerate(documents)]
    return write_packed(
        tmp_path_factory.mktemp("pack") / "p", rows, vocab_size=VOCAB, eos_id=0
    )


@pytest.fixture(scope="module")
def reader(packed):
    return train_reader(
        packed,
        np.arange(400),
        size="6k",
        tokens=40_000,
        context=32,
        batch_tokens=256,
        warmup_steps=5,
    )


def test_unread_text_of_the_habit_is_easier_than_other_text(packed, reader):
    rows = np.arange(400, 520)
    nats, tokens = reader.document_nats(packed, rows)
    mean = nats / tokens
    assert np.array_equal(tokens, packed.n_tokens_each[rows])
    assert mean[:40].max() < mean[40:].min() and mean[:40].mean() < 2.5
    assert mean[80:].mean() > 3.9  # near log 64 = 4.16 or above: nothing to know


def test_a_document_scores_the_same_in_any_order_and_company(packed, reader):
    rows = np.array([519, 3, 444, 400])
    nats, _ = reader.document_nats(packed, rows)
    for row, expected in zip(rows, nats, strict=True):
        assert reader.document_nats(packed, np.array([row]))[0][0] == pytest.approx(
            expected, rel=1e-5
        )


def test_a_saved_reader_reads_the_same_and_its_card_says_what_it_read(
    packed, reader, tmp_path
):
    reader.save(tmp_path / "reader")
    again = load_reader(tmp_path / "reader")
    rows = np.arange(430, 450)
    assert np.array_equal(
        again.document_nats(packed, rows)[0], reader.document_nats(packed, rows)[0]
    )
    assert again.card == reader.card and again.card["trained_on"]["documents"] == 400
    np.save(tmp_path / "reader/weights.npy", reader.weights * 1.01)
    with pytest.raises(InputError, match="weights that are not its card's"):
        load_reader(tmp_path / "reader")
    with pytest.raises(InputError, match="holds no readable proxy"):
        load_reader(tmp_path)


def test_another_vocabulary_is_refused(reader, tmp_path):
    other = write_packed(
        tmp_path / "p", [("a", np.array([1, 2]), 2)], vocab_size=32, eos_id=0
    )
    with pytest.raises(InputError, match="packed with 32 words, the proxy reads 64"):
        reader.document_nats(other, np.array([0]))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.filterwarnings("ignore")  # torch's own while compiling
def test_a_card_reads_as_the_processor_does(packed, reader):
    rows = np.arange(400, 520)
    here, there = (
        reader.document_nats(packed, rows, device=device)[0]
        for device in ("cpu", "cuda")
    )
    np.testing.assert_allclose(here, there, rtol=1e-4)
