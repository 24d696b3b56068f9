import numpy as np
import pytest
import torch

from stages.foundation.errors import InputError
from stages.proxy.network.answers import IGNORED
from stages.proxy.tokens.order import Stream
from stages.proxy.tokens.packed import Prompt, write_packed
from stages.proxy.tokens.view import View
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


def test_a_feed_begins_where_it_is_told(data):
    streams = [Stream(data.views["all"], 1), Stream(data.views["half"], 2)]
    feed = Feed(streams, 128, 32, torch.device("cpu"), begins=[1000, 0])
    inputs, targets = feed.at(2)
    read_on = streams[0].tokens(1000 + 2 * 128 - 1, 129)
    assert inputs[0].flatten().tolist() == read_on[:-1].tolist()
    assert targets[0].flatten().tolist() == read_on[1:].tolist()
    assert np.array_equal(inputs[1], streams[1].batch(2, 128, 32)[0])


@pytest.mark.parametrize("first", [0, 77])
def test_targets_of_a_prompt_are_ignored_and_inputs_are_as_they_are(tmp_path, first):
    documents = [
        (str(i), np.arange(1, 8) + 8 * i, 9, Prompt(i % 5, i % 5)) for i in range(7)
    ]
    pack = write_packed(tmp_path / "p", documents, vocab_size=64, eos_id=0)
    stream = Stream(View(pack, np.arange(7)), 4)
    usual = Feed([stream], 64, 16, torch.device("cpu"), begins=[first])
    feed = Feed([stream], 64, 16, torch.device("cpu"), begins=[first], answer_only=True)
    for step in (0, 3, CHUNK_STEPS, 1):
        inputs, targets = feed.at(step)
        same, tokens = usual.at(step)
        assert torch.equal(inputs, same)
        # a token tells its document and its place in it; 0 is the end mark, always scored
        place = (tokens - 1) % 8
        is_prompt = (tokens > 0) & (place < (tokens - 1) // 8 % 5)
        assert torch.equal(targets, tokens.masked_fill(is_prompt, IGNORED))
        assert is_prompt.any()
