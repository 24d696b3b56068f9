"""Readers go to a card only where that pays, and the log says why."""

import contextlib
import logging

import pytest
import torch

from stages.proxy.readers import place
from stages.proxy.readers.place import CORE_FLOPS, reading_place
from stages.proxy.specs.shape import Shape
from stages.proxy.workforce.expected import COMPILE_SECONDS, START_SECONDS

SHAPE = Shape.named("25k", context=128, vocab_size=512)
# tokens whose training takes one core as long as a card takes to begin
EVEN = (START_SECONDS + COMPILE_SECONDS) * CORE_FLOPS / SHAPE.flops_per_token


@pytest.fixture
def card(monkeypatch):
    """A machine with a card; where it was held."""
    held = []

    @contextlib.contextmanager
    def gpus_held(_specs, device):
        held.append(device)
        yield
        held.append("given back")

    chosen = torch.device("cuda"), torch.bfloat16, "made up"
    monkeypatch.setattr(place, "choose_device", lambda: chosen)
    monkeypatch.setattr(place, "gpus_held", gpus_held)
    return held


@pytest.mark.parametrize(
    ("trained", "read", "backward", "device"),
    [
        (1.01, 0, False, "cuda"),
        (0.99, 0, False, "cpu"),
        (0, 3.01, False, "cuda"),
        (0, 2.99, False, "cpu"),
        (0, 2.99, True, "cuda"),
    ],
)
def test_a_card_is_taken_where_one_core_would_need_longer_than_it_takes_to_begin(
    card, caplog, trained, read, backward, device
):
    caplog.set_level(logging.INFO, "assay")
    with reading_place(
        "25k",
        vocab_size=512,
        trained_tokens=int(trained * EVEN),
        read_tokens=int(read * EVEN),
        backward=backward,
    ) as found:
        assert found == device and card == [device]
    assert card == [device, "given back"]
    [line] = caplog.messages
    where = {"cuda": "the GPU", "cpu": "the processor"}[device]
    assert f"reads on {where}: about" in line and "until a card begins" in line


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_without_a_card_nothing_is_said(caplog):
    caplog.set_level(logging.INFO, "assay")
    with reading_place(
        "25k", vocab_size=512, trained_tokens=10**12, read_tokens=0
    ) as found:
        assert found == "cpu"
    assert caplog.messages == []
