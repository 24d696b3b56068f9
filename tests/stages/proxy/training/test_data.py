import numpy as np
import pytest
import torch

from stages.foundation.errors import InputError
from stages.proxy.tokens.order import Stream
from stages.proxy.training.data import CHUNK_STEPS, Feed, ProxyData


def test_a_feed_gives_the_batches_of_every_stream_in_any_order(data):
    streams = [Stream(data.views["all"], 1), Stream(data.views["half"], 2)]
    feed = Feed(streams, 128, 32, torch.device("cpu"))
    for step in [0, 1, CHUNK_STEPS - 1, CHUNK_STEPS, 3 * CHUNK_STEPS + 5, 2, 3]:
        inputs, targets = feed.at(step)
        assert inputs.shape == targets.shape == (2, 4, 32)
        for run, stream in enumerate(streams):
            expected = stream.batch(step, 128, 32)
            assert np.array_equal(inputs[run], expected[0])
            assert np.array_equal(targets[run], expected[1])


def test_a_model_needs_the_vocabulary_of_the_pack(data, make_spec):
    small = make_spec(shape=make_spec().shape.__class__(16, 2, 2, 32, 50))
    with pytest.raises(InputError, match="packed with 64 words, the model has 50"):
        ProxyData(data.views, data.held_out).view(small)


def test_a_feed_that_reads_ahead_gives_the_same_batches(data, make_spec):
    stream = Stream(data.views["all"], 3)
    plain = Feed([stream], 128, 32, torch.device("cpu"))
    ahead = Feed([stream], 128, 32, torch.device("cpu"), ahead=True)
    for step in [
        *range(0, 130, 9),
        3,
        64,
        65,
        128,
    ]:  # forward, and back as a branch does
        for one, other in zip(plain.at(step), ahead.at(step), strict=True):
            assert torch.equal(one, other)
