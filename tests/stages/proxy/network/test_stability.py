"""What foretells an unstable run, against what is computed by hand."""

import dataclasses

import pytest
import torch

from stages.proxy.network.model import NORM_EPS, Weights, rotary
from stages.proxy.network.stability import gradient_rms, largest_logit
from stages.proxy.specs.shape import Shape

SHAPE = Shape(d_model=8, n_layers=1, n_heads=1, context=4, vocab_size=16, qk_norm=False)


def by_hand(weights, run, tokens):
    """The largest logit of a model of one layer and one head, pair by pair."""
    x = weights.named["embedding"][run].detach()[tokens]
    x = x / (x.square().mean(-1, keepdim=True) + NORM_EPS).sqrt()
    query, key, _ = (x @ weights.named["0.qkv"][run].detach().T).split(8, dim=-1)
    cosine, sine = rotary(SHAPE, len(tokens), x)

    def turned(state, at):
        real, imaginary = state[at, 0::2], state[at, 1::2]
        return torch.cat(
            [
                real * cosine[at] - imaginary * sine[at],
                real * sine[at] + imaginary * cosine[at],
            ]
        )

    return max(
        abs(float(turned(query, one) @ turned(key, other)) / 8**0.5)
        for one in range(len(tokens))
        for other in range(one + 1)
    )


def test_the_largest_logit_is_that_of_the_pairs_that_see_each_other():
    weights = Weights(SHAPE, [1, 2])
    inputs = torch.tensor([[[3, 9, 1, 3]], [[0, 5, 5, 2]]])
    found = largest_logit(weights.named, SHAPE, inputs)
    expected = [by_hand(weights, run, inputs[run, 0]) for run in range(2)]
    assert found.tolist() == pytest.approx(expected, rel=1e-5)


def test_twice_the_queries_are_twice_the_logits_unless_they_are_normed():
    inputs = torch.tensor([[[3, 9, 1, 3]]])
    for qk_norm, times in ((False, 2.0), (True, 1.0)):
        shape = dataclasses.replace(SHAPE, qk_norm=qk_norm)
        weights = Weights(shape, [1])
        before = largest_logit(weights.named, shape, inputs).item()
        with torch.no_grad():
            weights.named["0.qkv"][:, :8] *= 2
        after = largest_logit(weights.named, shape, inputs).item()
        assert after == pytest.approx(times * before, rel=1e-4)
        # of unit mean square over 8 numbers: a product of at most 8, over the root of 8
        assert not qk_norm or after <= 8**0.5 + 1e-4


def test_the_gradient_is_measured_by_its_root_mean_square():
    grad = torch.tensor([[3.0, 4.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    assert gradient_rms(grad).tolist() == [2.5, 1.0]
