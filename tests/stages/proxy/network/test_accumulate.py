"""A batch is cut only as far as memory asks."""

from stages.proxy.network.accumulate import parts_that_fit
from stages.proxy.network.memory import SAFE_FRACTION, cuda_activation_bytes
from stages.proxy.specs.shape import Shape

LARGE = Shape.named("302M", context=1024, vocab_size=50_304)


def test_a_batch_is_cut_until_it_fits_and_recomputed_only_when_one_sequence_does_not():
    one = cuda_activation_bytes(LARGE, 1024) / SAFE_FRACTION
    assert parts_that_fit(LARGE, 1, 64, 1000 * one) == (64, False)
    assert parts_that_fit(LARGE, 1, 64, 20 * one) == (16, False)
    assert parts_that_fit(LARGE, 1, 64, 1.01 * one) == (1, False)
    assert parts_that_fit(LARGE, 1, 64, 0.5 * one) == (1, True)
    assert parts_that_fit(LARGE, 4, 64, 8.1 * one) == (2, False)


def test_large_shapes_are_named_by_their_parameters():
    assert (LARGE.n_params, LARGE.head_width) == (301_989_888, 64)
    assert (
        Shape.named("85M").n_params == 84_934_656
        and Shape.named("9.4M").n_params == 9_437_184
    )


def test_float32_and_plain_steps_keep_more():
    one = cuda_activation_bytes(LARGE, 1024) / SAFE_FRACTION
    assert parts_that_fit(LARGE, 1, 64, 20 * one, float32=True) == (8, False)
    assert parts_that_fit(LARGE, 1, 64, 20 * one, compiled=False) == (8, False)
    assert parts_that_fit(LARGE, 1, 64, 1.01 * one, compiled=False) == (1, True)
