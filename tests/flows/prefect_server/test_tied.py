"""Servers that end with their parent, and whose server a run uses."""

import http.server
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from flows.prefect_server import own_server
from flows.prefect_server.asking import fault
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


ASK = (
    "from flows import environment; environment.prepare();"
    " from flows.prefect_server.own_server import named_address; print(named_address())"
)


def named(folder, **more):
    """The server that Prefect would use in this folder."""
    environment = {k: v for k, v in os.environ.items() if "PREFECT" not in k}
    environment |= {"PREFECT_HOME": str(folder), "PYTHONPATH": str(ROOT), **more}
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_server_that_the_user_names_is_the_one_of_the_active_profile(tmp_path):
    assert named(tmp_path) == "None"
    profile = '[profiles.ours]\nPREFECT_API_URL = "http://127.0.0.1:4200/api"\n'
    (tmp_path / "profiles.toml").write_text('active = "ours"\n' + profile)
    assert named(tmp_path) == "http://127.0.0.1:4200/api"
    other = 'active = "plain"\n[profiles.plain]\n'
    (tmp_path / "profiles.toml").write_text(other + profile)
    assert named(tmp_path) == "None"
    url = "http://127.0.0.1:1/api"
    assert named(tmp_path, PREFECT_API_URL=url) == url


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers every question with 500."""

    def do_GET(self):
        self.send_error(500)

    def log_message(self, *_):
        pass


def test_a_server_that_is_down_mute_or_broken_is_given_up_in_time():
    start = time.monotonic()
    assert "does not answer" in fault("http://127.0.0.1:9/api", seconds=1)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/api"
        assert "does not answer" in fault(url, seconds=1)
    with http.server.HTTPServer(("127.0.0.1", 0), Answers) as broken:
        threading.Thread(target=broken.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{broken.server_port}/api"
        assert fault(url, seconds=2) == "answers 500"
        broken.shutdown()
    assert time.monotonic() - start < 8


def test_a_database_that_is_damaged_or_held_is_named(tmp_path):
    file = tmp_path / "prefect.db"
    assert own_server.database_fault(file) == ""
    file.write_bytes(b"no database at all" * 100)
    assert f"{file} is damaged" in own_server.database_fault(file)
    file.unlink()
    with closing(sqlite3.connect(file)) as holder:
        holder.execute("CREATE TABLE t (a)")
        holder.execute("BEGIN IMMEDIATE")
        assert "database is locked" in own_server.database_fault(file)
        holder.rollback()
    assert own_server.database_fault(file) == ""
