"""Embeddings and difficulties under a trained proxy, against one document at a time by hand."""

import numpy as np
import pytest
import torch

from stages.foundation.errors import InputError
from stages.proxy.network.model import hidden, linear, token_losses
from stages.proxy.readers.hidden_states import (
    POOLINGS,
    document_el2n,
    document_embeddings,
    document_gradients,
    reader_weights,
)
from stages.proxy.readers.reader import train_reader
from stages.proxy.tokens.packed import write_packed

VOCAB, CONTEXT = 32, 16


def document(random, i):
    """A walk in steps of 1 or 2 on the lower half of the vocabulary (even i) or the upper (odd i);
    noise from 150 on.
    """
    n = int(random.integers(3, 50))
    if i >= 150:
        return random.integers(1, 31, n)
    return np.cumsum(random.integers(1, 3, n)) % 15 + 1 + 15 * (i % 2)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    random = np.random.default_rng(0)
    documents = [(f"d{i}", document(random, i), 10) for i in range(180)]
    return write_packed(
        tmp_path_factory.mktemp("packed") / "pool",
        documents,
        vocab_size=VOCAB,
        eos_id=0,
    )


@pytest.fixture(scope="module")
def reader(packed):
    return train_reader(
        packed,
        np.arange(120),
        size="6k",
        tokens=24_576,
        context=CONTEXT,
        batch_tokens=256,
    )


def states_by_hand(reader, packed, row):
    """Hidden states (n, d) and targets (n,) of one document, window by window."""
    weights, tokens = (
        reader_weights(reader, packed, "cpu"),
        packed.document(row).astype(np.int64),
    )
    states = []
    for first in range(0, len(tokens), CONTEXT):
        window = tokens[first : first + CONTEXT]
        inputs = torch.from_numpy(np.append(0, window[:-1]))[None, None]
        with torch.no_grad():
            states.append(hidden(weights.named, reader.shape, inputs)[0, 0])
    return torch.cat(states), tokens, weights


@pytest.mark.parametrize("pooling", POOLINGS)
def test_embeddings_are_the_pooled_states_of_each_document(reader, packed, pooling):
    rows = np.array([170, 3, 44, 12, 101])
    found = document_embeddings(reader, packed, rows, pooling=pooling)
    for row, mine in zip(rows, found, strict=True):
        states, tokens, _ = states_by_hand(reader, packed, row)
        share = {
            "mean": np.full(len(tokens), 1 / len(tokens)),
            "last": np.eye(len(tokens))[min(len(tokens), CONTEXT) - 1],
            "weighted": (
                np.arange(1, len(tokens) + 1) / np.arange(1, len(tokens) + 1).sum()
            ),
        }[pooling]
        np.testing.assert_allclose(mine, share @ states.double().numpy(), atol=2e-5)
    assert (packed.n_tokens_each[rows] > CONTEXT).any()


def test_el2n_is_the_mean_length_of_the_miss(reader, packed):
    found = document_el2n(reader, packed, np.array([5, 160]))
    for row, mine in zip((5, 160), found, strict=True):
        states, tokens, weights = states_by_hand(reader, packed, row)
        odds = (
            torch.softmax(linear(states[None, None], weights.named["head"])[0, 0], -1)
            .detach()
            .numpy()
        )
        assert mine == pytest.approx(
            np.linalg.norm(odds - np.eye(VOCAB)[tokens], axis=1).mean(), abs=1e-5
        )


def test_gradients_are_those_of_one_backward_pass_a_document(reader, packed):
    rows = np.array([150, 2, 77])
    found = document_gradients(reader, packed, rows)
    for row, mine in zip(rows, found, strict=True):
        _, tokens, weights = states_by_hand(reader, packed, row)
        window = torch.from_numpy(tokens[:CONTEXT])
        inputs = torch.cat([torch.zeros(1, dtype=torch.int64), window[:-1]])
        loss = token_losses(
            weights.named, reader.shape, inputs[None, None], window[None, None]
        ).mean()
        gradients = torch.autograd.grad(loss, list(weights.named.values()))
        assert mine == pytest.approx(
            float(sum(gradient.square().sum() for gradient in gradients).sqrt()),
            rel=1e-4,
        )


def test_planted_noise_is_hard(reader, packed):
    rows = np.arange(120, 180)
    noise = rows >= 150
    for score in (
        document_el2n(reader, packed, rows),
        document_gradients(reader, packed, rows),
    ):
        assert score[noise].min() > np.quantile(score[~noise], 0.9)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_documents_of_one_topic_lie_together(reader, packed, pooling):
    states = document_embeddings(reader, packed, np.arange(120, 150), pooling=pooling)
    states /= np.linalg.norm(states, axis=1, keepdims=True)
    nearest = (states @ states.T - 2 * np.eye(30)).argmax(axis=1)
    assert (nearest % 2 == np.arange(30) % 2).mean() > 0.9


def test_what_does_not_fit_is_named(reader, packed, tmp_path):
    other = write_packed(
        tmp_path / "other", [("a", np.array([1, 2]), 2)], vocab_size=VOCAB + 1, eos_id=0
    )
    with pytest.raises(InputError, match="packed with 33 words, the proxy reads 32"):
        document_embeddings(reader, other, np.array([0]))
    with pytest.raises(InputError, match="no pooling 'max'"):
        document_embeddings(reader, packed, np.array([0]), pooling="max")
    with pytest.raises(InputError, match="asked for twice"):
        document_el2n(reader, packed, np.array([4, 4]))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.filterwarnings("ignore")  # torch's own while compiling
def test_a_card_finds_what_the_processor_does(reader, packed):
    rows = np.arange(100, 180)
    for measure in (document_embeddings, document_el2n, document_gradients):
        here, there = (
            measure(reader, packed, rows, device=device) for device in ("cpu", "cuda")
        )
        np.testing.assert_allclose(here, there, rtol=1e-3, atol=1e-5)
