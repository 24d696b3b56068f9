"""Counts of operations and bytes against the shapes' own."""

import pytest

from stages.proxy.specs.shape import Shape
from stages.proxy.workforce.cards import CARDS
from stages.proxy.workforce.floors import highest_mfu, step_parts

SHAPE = Shape(128, 5, 2, 512, 4096)


def test_products_add_up_to_the_operations_of_the_shape():
    parts = {part.name: part for part in step_parts(SHAPE, 1024, 3)}
    weights = sum(
        parts[name].flops
        for name in ("query, key, value", "output map", "MLP up", "MLP down", "head")
    )
    assert weights == 6 * 3 * 1024 * (SHAPE.n_params + SHAPE.vocab_size * SHAPE.d_model)
    attention = SHAPE.flops_per_token - 6 * (
        SHAPE.n_params + SHAPE.vocab_size * SHAPE.d_model
    )
    assert parts["attention"].flops == pytest.approx(
        3 * 1024 * attention * 3.5 / 3
    )  # scores made again


def test_narrow_layers_are_bound_by_memory_and_wide_ones_by_arithmetic():
    peak, bandwidth = CARDS["H100"]
    wide = Shape(4096, 2, 32, 1024, 50_304)
    up = {
        shape: next(
            part for part in step_parts(shape, 65_536, 1) if part.name == "MLP up"
        )
        for shape in (SHAPE, wide)
    }
    assert (
        up[SHAPE].bound(peak, bandwidth) == "memory"
        and up[wide].bound(peak, bandwidth) == "arithmetic"
    )
    assert (
        highest_mfu(SHAPE, 4096, 64, peak, bandwidth)
        < highest_mfu(wide, 65_536, 1, peak, bandwidth)
        < 1
    )
    more = highest_mfu(SHAPE, 8192, 64, peak, bandwidth)
    assert more > highest_mfu(SHAPE, 4096, 64, peak, bandwidth), (
        "weights are read once for more tokens"
    )
