"""Samples of what training uses: taken while it goes on, kept over starts, and never in its way."""

import sys
import time
from types import SimpleNamespace

import pytest

from stages.runs import machine_load
from stages.runs.machine_load import load_file, machine_load_noted, samples_of


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_short_training_has_one_sample_and_a_second_start_adds_to_it():
    for n_starts in (1, 2):
        with machine_load_noted("sweep"):
            pass
        assert len(samples_of("sweep")) == n_starts
    sample = samples_of("sweep")[-1]
    assert abs(time.time() - sample["time_s"]) < 60
    assert 0 <= sample["system/cpu_utilization_percentage"] <= 100
    assert 0 < sample["system/system_memory_usage_percentage"] <= 100
    assert sample["system/system_memory_usage_megabytes"] > 10
    assert samples_of("verify") == []


def test_samples_are_taken_while_it_trains():
    with machine_load_noted("sweep", every_s=0.01):
        while len(samples_of("sweep")) < 3:
            time.sleep(0.01)
    times = [sample["time_s"] for sample in samples_of("sweep")]
    assert times == sorted(times)


def test_a_sample_that_cannot_be_taken_or_written_stops_nothing(monkeypatch, folder):
    def broken():
        raise RuntimeError("no sensor")

    with monkeypatch.context() as patch:
        patch.setattr(machine_load, "sampled", broken)
        with machine_load_noted("sweep"):
            pass
    (folder / ".assay").write_text("a file in the way")
    with machine_load_noted("sweep"):
        pass
    assert samples_of("sweep") == []


def test_a_failed_training_is_not_hidden():
    with (
        pytest.raises(ValueError, match="of the training"),
        machine_load_noted("sweep"),
    ):
        raise ValueError("of the training")
    assert len(samples_of("sweep")) == 1


def test_without_psutil_nothing_is_noted(monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    with machine_load_noted("sweep"):
        pass
    assert samples_of("sweep") == []


def test_a_line_that_a_kill_cut_is_left_out():
    with machine_load_noted("sweep"):
        pass
    with load_file("sweep").open("a") as opened:
        opened.write('{"time_s": 17')
    assert len(samples_of("sweep")) == 1


def test_a_card_is_asked_by_the_names_of_mlflow(monkeypatch):
    two_cards = SimpleNamespace(
        NVMLError=OSError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetMemoryInfo=lambda card: SimpleNamespace(used=3_000_000_000),
        nvmlDeviceGetUtilizationRates=lambda card: SimpleNamespace(gpu=90 + card),
    )
    monkeypatch.setitem(sys.modules, "pynvml", two_cards)
    found = machine_load.sampled()
    assert found["system/gpu_0_memory_usage_megabytes"] == 3000
    assert found["system/gpu_1_utilization_percentage"] == 91


@pytest.mark.parametrize("library", [None, pytest.importorskip("pynvml")])
def test_without_a_card_or_its_library_there_is_the_rest(monkeypatch, library):
    if library is not None:
        monkeypatch.setattr(library, "nvmlInit", no_driver)
    monkeypatch.setitem(sys.modules, "pynvml", library)
    found = machine_load.sampled()
    assert "system/cpu_utilization_percentage" in found
    assert not any("gpu" in key for key in found)


def no_driver():
    import pynvml

    raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)
