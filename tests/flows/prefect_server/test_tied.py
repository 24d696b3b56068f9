"""Servers that end with their parent, and whose server a run uses."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.prefect_server import own_server
from flows.prefect_server.tied import free_port, start_tied, stop, wait_for
from stages.foundation.errors import InputError

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.skipif(
    sys.platform != "linux", reason="the kernel's signal at a parent's end is Linux's"
)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_tied_server_does_not_outlive_its_parent(how):
    code = (
        "import time; from flows.prefect_server.tied import start_tied; print(start_tied('-c', 'import"
        " time; time.sleep(60)').pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    child = int(parent.stdout.readline())
    deadline = time.monotonic() + 20
    while (
        b"time.sleep(60)" not in Path(f"/proc/{child}/cmdline").read_bytes()
        or b"flows.prefect_server.tied" in Path(f"/proc/{child}/cmdline").read_bytes()
    ):
        assert time.monotonic() < deadline, (
            "the child did not become what it was asked to be"
        )
        time.sleep(0.02)
    parent.send_signal(how)
    parent.wait()
    parent.stdout.close()
    while (
        Path(f"/proc/{child}").exists()
        and "Z" not in Path(f"/proc/{child}/stat").read_text().split()[2]
    ):
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.02)


def test_a_server_is_waited_for_and_stopped(tmp_path):
    port = free_port()
    server = start_tied(
        "-m",
        "http.server",
        str(port),
        "--bind",
        "127.0.0.1",
        "--directory",
        str(tmp_path),
    )
    wait_for(f"http://127.0.0.1:{port}/", server)
    stop([server])
    assert server.poll() is not None
    with pytest.raises(InputError, match="ended with exit code"):
        wait_for(f"http://127.0.0.1:{port}/", server)


def test_a_server_that_the_user_names_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert not own_server.named_server()
    (tmp_path / "profiles.toml").write_text(
        '[profiles.ours]\nPREFECT_API_URL = "http://127.0.0.1:4200/api"\n'
    )
    assert own_server.named_server()
    (tmp_path / "profiles.toml").unlink()
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    assert own_server.named_server()
    own_server.start_own_server()  # starts nothing
    assert os.environ["PREFECT_API_URL"] == "http://127.0.0.1:1/api"
