"""Start a server that ends with the process that started it, however that ends (Linux; elsewhere it
is stopped in order).

The server runs through this file: `python -m flows.prefect_server.tied PARENT_PID ARGUMENTS...` asks the kernel
for a signal at the parent's end, which survives the exec, and becomes `python ARGUMENTS...`.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import IO

from stages.foundation.errors import InputError
from stages.proxy.workforce.worker_main import die_with_parent

START_SECONDS = 90  # measured: 8-24 s on two idle cores
STOP_SECONDS = 2  # assumed: all is over within 5 s
ROOT = Path(__file__).resolve().parents[2]


def start_tied(
    *arguments: str,
    quiet: bool = False,
    log: Path | None = None,
    through: str = "flows.prefect_server.tied",
    variables: Mapping[str, str] = MappingProxyType({}),
) -> subprocess.Popen:
    """`python ARGUMENTS...` as a child that cannot outlive this process. Call from the main thread:
    it counts as the parent. Ctrl-C in a terminal reaches this process alone, which ends it in order.

    log: where what it says on stderr goes; through: the module that ties it; variables: of its environment.
    """
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", through, str(os.getpid()), *arguments]
    with ExitStack() as opened:
        said: IO[bytes] | int | None = subprocess.DEVNULL if quiet else None
        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
            said = opened.enter_context(log.open("wb"))
        return subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env=os.environ | {"PYTHONPATH": path} | dict(variables),
            start_new_session=True,
        )


def answers(url: str) -> bool:
    """Whether anything answers there without an error."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        # no proxy: the address is this machine's own
        opener.open(url, timeout=2).close()
    except (urllib.error.URLError, OSError):
        return False
    return True


def wait_for(
    url: str, server: subprocess.Popen, seconds: float = START_SECONDS
) -> None:
    """Until the server answers; InputError where it ended or does not answer in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise InputError(
                f"the server behind {url} ended with exit code {server.returncode}; is"
                " its port taken?"
            )
        if answers(url):
            return
        time.sleep(0.2)
    raise InputError(
        f"no answer from {url} in {seconds:g} s; see"
        f" {os.environ.get('PREFECT_HOME', 'its log')}"
    )


def stop(servers: list[subprocess.Popen]) -> None:
    """Ask all to end, then make them; they share the time that they have."""
    for server in servers:
        server.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for server in servers:
        try:
            server.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
