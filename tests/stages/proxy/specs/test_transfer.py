"""Factors of width and depth, and that the depth rule is the multiplied branch that it stands for."""

import pytest
import torch

from stages.proxy.network.adamw import AdamW
from stages.proxy.network.engine import build_engine
from stages.proxy.network.model import Weights
from stages.proxy.specs.shape import Shape
from stages.proxy.specs.transfer import Factors, factors


def test_nothing_is_scaled_without_a_base_or_at_the_base():
    shape = Shape(32, 4, 2, 8, 20)
    assert factors(shape, None, None) is None
    at_base = factors(shape, 32, 4)
    assert at_base.pop("head") == Factors(1.0, 1.0, 0.0)
    assert set(at_base.values()) == {Factors()}


def test_matrices_follow_width_and_branches_follow_depth():
    found = factors(Shape(64, 6, 2, 8, 20), 16, 3)
    assert found["qkv"] == found["up"] == Factors(1.0, 1 / 4, 2.0)
    assert found["out"] == found["down"] == Factors(1 / 2, 1 / 8, 4.0)
    assert found["embedding"] == Factors()
    assert found["head"].lr == 1 / 4


def test_the_first_steps_change_what_a_model_says_equally_at_every_width():
    """The change of the logits over three steps at the same base rate: within a factor of 2 over 8
    times the width; untransferred it grows.
    """

    def change(width, base):
        shape = Shape(width, 2, 1, 16, 30)
        transfer = factors(shape, base, None)
        weights = Weights(shape, [0], transfer=transfer)
        engine, optimiser = (
            build_engine(weights),
            AdamW(weights, [0.02], [0.0], transfer),
        )
        inputs, targets = torch.randint(
            0, 30, (2, 1, 8, 16), generator=torch.Generator().manual_seed(0)
        )
        losses = [float(engine.step_loss(inputs, targets))]
        for _ in range(3):
            optimiser.step(1.0)
            losses.append(float(engine.step_loss(inputs, targets)))
        return losses[0] - losses[-1]

    narrow, wide, plain = change(16, 16), change(128, 16), change(128, None)
    assert 0.5 < wide / narrow < 2
    assert plain / narrow > 2


def test_depth_starts_branches_smaller():
    shape = Shape(16, 4, 1, 8, 20)
    plain, deep = (
        Weights(shape, [3]),
        Weights(shape, [3], transfer=factors(shape, None, 2)),
    )
    assert torch.equal(deep.named["3.down"], plain.named["3.down"] / 2)
    assert torch.equal(deep.named["3.up"], plain.named["3.up"])
    with pytest.raises(KeyError):
        Weights(shape, [3], transfer={"embedding": Factors()})
