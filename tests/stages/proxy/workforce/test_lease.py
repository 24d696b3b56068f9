"""Leases held by one process and asked for by another."""

import subprocess
import sys

import pytest

from stages.foundation.errors import InputError
from stages.proxy.workforce import lease
from stages.proxy.workforce.lease import device_lease, folder_lease

HOLD = (
    "import sys, time; from stages.proxy.workforce import lease; from pathlib import Path;"
    " lease.lease_folder = lambda: Path({folder!r})\nwith {call}: print('held',"
    " flush=True); time.sleep(60)"
)


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(lease, "lease_folder", lambda: tmp_path)
    monkeypatch.setattr(lease, "POLL_SECONDS", 0.01)


@pytest.fixture
def holder(tmp_path):
    """holder(call): another process that holds what `call` gives, until it is killed."""
    started = []

    def start(call):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD.format(folder=str(tmp_path), call=call)],
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_device_has_one_holder_and_is_free_when_that_is_killed(holder):
    other = holder("lease.device_lease(['gpu-a'])")
    with (
        pytest.raises(InputError, match=f"gpu-a is held by process {other.pid}"),
        device_lease(["gpu-a"], timeout_s=0.05),
    ):
        pass
    with device_lease(["gpu-a", "gpu-b"], timeout_s=0.05) as index:
        assert index == 1
    other.kill()
    other.wait()
    with device_lease(["gpu-a"], timeout_s=5) as index:
        assert index == 0


def test_parts_share_a_device_until_it_is_full(holder):
    holder("lease.device_lease(['gpu-a'], 0.5)")
    with (
        device_lease(["gpu-a"], 0.25),
        device_lease(["gpu-a"], 0.2),
    ):  # four eighths, two and two
        with (
            pytest.raises(InputError, match="no free device"),
            device_lease(["gpu-a"], 0.1, timeout_s=0.05),
        ):
            pass
    with device_lease(["gpu-a"], 0.5, timeout_s=0):
        pass
    with pytest.raises(InputError, match="0 of a device"), device_lease(["gpu-a"], 0):
        pass


def test_a_folder_is_filled_by_one_sweep(tmp_path, holder):
    holder(f"lease.folder_lease('runs', {str(tmp_path / 'sweep.lock')!r})")
    with (
        pytest.raises(InputError, match="runs is being filled by another sweep"),
        folder_lease("runs", tmp_path / "sweep.lock"),
    ):
        pass
