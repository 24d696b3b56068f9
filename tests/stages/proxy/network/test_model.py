"""The batched model against one written out token by token in numpy."""

import numpy as np
import pytest
import torch

from stages.proxy.network.model import NORM_EPS, Weights, n_dropout_sites, token_losses
from stages.proxy.specs.shape import Shape

SHAPE = Shape(d_model=12, n_layers=2, n_heads=3, context=7, vocab_size=11)


def normed(x):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + NORM_EPS)


def rotated(x, position):
    pairs = x.reshape(-1, 2)
    angle = position * 10_000.0 ** (-np.arange(len(pairs)) / len(pairs))
    turned = [
        [a * np.cos(t) - b * np.sin(t), a * np.sin(t) + b * np.cos(t)]
        for (a, b), t in zip(pairs, angle, strict=True)
    ]
    return np.array(turned).ravel()


def losses_by_hand(weights, inputs, targets, keep):
    """Losses (T,) of one sequence under one run's weights, `keep` (sites, T, D)."""
    x = weights["embedding"][inputs] * keep[0]
    for layer in range(SHAPE.n_layers):
        qkv = normed(x) @ weights[f"{layer}.qkv"].T
        mixed = np.zeros_like(x)
        for head in range(SHAPE.n_heads):
            columns = slice(4 * head, 4 * head + 4)
            query, key, value = (
                qkv[:, 12 * part : 12 * part + 12][:, columns] for part in range(3)
            )
            query = np.array([rotated(normed(row), t) for t, row in enumerate(query)])
            key = np.array([rotated(normed(row), t) for t, row in enumerate(key)])
            for t in range(len(x)):
                score = np.exp(key[: t + 1] @ query[t] / 2.0)
                mixed[t, columns] = score @ value[: t + 1] / score.sum()
        x = x + keep[2 * layer + 1] * (mixed @ weights[f"{layer}.out"].T)
        wide = np.maximum(normed(x) @ weights[f"{layer}.up"].T, 0) ** 2
        x = x + keep[2 * layer + 2] * (wide @ weights[f"{layer}.down"].T)
    logits = normed(x) @ weights["head"].T
    return np.log(np.exp(logits).sum(-1)) - logits[np.arange(len(x)), targets]


@pytest.mark.parametrize("drop", [False, True])
def test_every_run_equals_the_model_written_out(drop):
    weights = Weights(SHAPE, [3, 4], dtype=torch.float64)
    with torch.no_grad():
        weights.named["head"].normal_()
    inputs, targets = torch.randint(0, 11, (2, 2, 3, 7))
    keep = (
        (torch.rand(n_dropout_sites(SHAPE), 2, 3, 7, 12) > 0.3).double() / 0.7
        if drop
        else None
    )
    found = token_losses(weights.named, SHAPE, inputs, targets, keep).detach().numpy()
    factors = (
        np.ones((n_dropout_sites(SHAPE), 2, 3, 7, 12)) if keep is None else keep.numpy()
    )
    for run in range(2):
        one = {
            name: weight[run].detach().numpy() for name, weight in weights.named.items()
        }
        for sequence in range(3):
            expected = losses_by_hand(
                one,
                inputs[run, sequence].numpy(),
                targets[run, sequence].numpy(),
                factors[:, run, sequence],
            )
            assert found[run, sequence] == pytest.approx(expected, rel=1e-12)


def test_a_new_model_predicts_every_word_alike():
    weights = Weights(SHAPE, [0])
    tokens = torch.randint(0, 11, (1, 2, 7))
    assert token_losses(
        weights.named, SHAPE, tokens, tokens
    ).detach().numpy() == pytest.approx(np.log(11), rel=1e-6)


def test_initial_weights_depend_on_the_seed_alone_and_scale_with_fan_in():
    shape = Shape(64, 2, 4, 16, 256)
    pair, single = Weights(shape, [5, 6]), Weights(shape, [6])
    assert torch.equal(pair.flat[1], single.flat[0])
    assert not torch.equal(pair.flat[0], pair.flat[1])
    assert single.named["1.down"].std().item() == pytest.approx(256**-0.5, rel=0.05)
    assert single.named["0.qkv"].std().item() == pytest.approx(64**-0.5, rel=0.05)
    assert single.named["embedding"].std().item() == pytest.approx(1, rel=0.05)
    assert not single.named["head"].any()
