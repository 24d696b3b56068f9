"""The weights of a proxy by name add up to its parameters."""

import pytest

from stages.proxy.specs.layout import weight_sizes
from stages.proxy.specs.shape import Shape

DENSE = Shape(d_model=16, n_layers=2, n_heads=2, context=32, vocab_size=64)


@pytest.mark.parametrize(
    "shape", [DENSE, DENSE.with_experts(4, 2), DENSE.with_experts(4, 2, every=2)]
)
def test_sizes_add_up_to_all_parameters(shape):
    sizes = weight_sizes(shape)
    assert sum(rows * columns for rows, columns in sizes.values()) == (
        shape.n_params_total
    )
    assert next(iter(sizes)) == "embedding" and list(sizes)[-1] == "head"


def test_the_layout_of_a_dense_proxy_is_known_by_name():
    assert weight_sizes(DENSE)["1.qkv"] == (48, 16)
    assert weight_sizes(DENSE)["1.up"] == (64, 16)
    assert weight_sizes(DENSE)["1.down"] == (16, 64)
