import subprocess
import sys

import pytest

from stages.foundation.errors import InputError
from stages.proxy.network.model import Weights
from stages.proxy.specs.shape import LADDER, Shape, whole_batches


@pytest.mark.parametrize(
    ("name", "n_params"),
    [
        ("6k", 6_144),
        ("25k", 24_576),
        ("55k", 55_296),
        ("147k", 147_456),
        ("332k", 331_776),
    ],
)
def test_parameter_counts_equal_the_weights(name, n_params):
    shape = Shape.named(name, vocab_size=100)
    weights = Weights(shape, [0])
    outside = weights.named["embedding"].numel() + weights.named["head"].numel()
    assert shape.n_params == n_params == weights.flat.numel() - outside
    assert (
        shape.n_params_total
        == weights.flat.numel()
        == sum(weight.numel() for weight in weights.named.values())
    )


def test_rungs_have_the_size_that_they_are_named_for():
    unit = {"k": 1e3, "M": 1e6}
    for name in LADDER:
        named = float(name[:-1]) * unit[name[-1]]
        assert Shape.named(name).n_params == pytest.approx(named, rel=0.05)
    assert {"9.4M", "15M", "30M", "60M", "85M"} <= set(LADDER)


def test_flops_equal_the_products_counted_one_by_one():
    shape = Shape(d_model=8, n_layers=3, n_heads=2, context=6, vocab_size=20)
    forward = 0
    for token in range(6):
        keys = token + 1
        for rows, columns in [(24, 8), (8, 8), (32, 8), (8, 32)]:
            forward += 3 * 2 * rows * columns
        # scores and weighted values, all heads together
        forward += 3 * 2 * (2 * keys * 8)
        forward += 2 * 20 * 8
    assert shape.flops_per_token * 6 == 3 * forward
    assert shape.flops_per_token_6n == 6 * shape.n_params


def test_bad_shapes_and_names_are_refused():
    with pytest.raises(InputError, match="does not divide into 3 heads"):
        Shape(16, 2, 3, 32, 64)
    with pytest.raises(InputError, match="positive sizes"):
        Shape(16, 0, 2, 32, 64)
    with pytest.raises(InputError, match="no proxy size '7k'; choose one of 6k, 25k"):
        Shape.named("7k")
    assert len(LADDER) >= 5


def test_whole_batches_rounds_to_the_nearest():
    assert whole_batches(400_000, 512) == 399_872
    assert whole_batches(10, 512) == 512


def test_light_modules_load_without_torch():
    code = (
        "import sys; from stages.proxy.tokens import packed, view, order;"
        " from stages.proxy.specs import shape, spec, schedule, stack;"
        " from stages.proxy.workforce import workers; assert not {'torch', 'polars'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
