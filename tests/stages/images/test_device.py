"""Image models train where the log says, and hold a card meanwhile."""

import logging

import pytest
import torch

from stages.images import device
from stages.images.device import image_device
from stages.proxy.workforce import lease
from stages.proxy.workforce.lease import device_lease


def test_a_processor_is_named_and_holds_nothing(caplog):
    caplog.set_level(logging.INFO, "assay")
    with image_device("cpu", "sweep") as place:
        assert place == "cpu"
    assert caplog.messages == ["sweep: device cpu (asked for), float32, one thread"]


def test_a_card_is_held_while_images_train_and_another_sweep_waits(
    tmp_path, monkeypatch
):
    cuda = torch.device("cuda"), torch.float32, "device cuda (made up)"
    monkeypatch.setattr(device, "choose_device", lambda *_asked: cuda)
    monkeypatch.setattr(lease, "lease_folder", lambda: tmp_path)
    monkeypatch.setattr(lease, "gpu_names", lambda: ["a"])
    monkeypatch.setattr(torch.cuda, "set_device", lambda index: None)
    with image_device("auto", "score") as place:
        assert place == "cuda"
        with (
            pytest.raises(ValueError, match="a is held by process"),
            device_lease(["a"], timeout_s=0),
        ):
            pass
    with device_lease(["a"], timeout_s=0):
        pass
