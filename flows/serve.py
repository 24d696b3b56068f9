"""`assay serve` schedules the flow; `assay ui` shows its runs. Both stay on the loopback address."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from flows import environment
from stages.errors import InputError

PREFECT_PORT, MLFLOW_PORT = 4200, 5000
START_SECONDS = 180


def start_pages() -> None:
    """MLflow and Prefect servers until Ctrl-C; both end together."""
    environment.prepare()
    servers = [_prefect_server(), _mlflow_server()]
    print(f"Prefect  http://127.0.0.1:{PREFECT_PORT}\nMLflow   http://127.0.0.1:{MLFLOW_PORT}\nstop with Ctrl-C")
    _until_stopped(servers)


def serve_forever(cron: str) -> None:
    """A Prefect server and a deployment that runs the whole pipeline at `cron`, until Ctrl-C.

    The temporary server of a plain run keeps no schedule, so one is started here unless PREFECT_API_URL names one.
    """
    if len(cron.split()) != 5:
        raise InputError(f"--cron {cron!r}: needs five fields, for example '0 3 * * *' for every night at three")
    environment.prepare()
    servers = []
    if "PREFECT_API_URL" not in os.environ:
        servers.append(_prefect_server())
        os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{PREFECT_PORT}/api"
        _wait_for(f"{os.environ['PREFECT_API_URL']}/health", servers[0])
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    from flows.pipeline import pipeline

    try:
        pipeline.serve(name="scheduled", cron=cron, limit=1)
    finally:
        _stop(servers)


def _prefect_server() -> subprocess.Popen:
    command = ["-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(PREFECT_PORT)]
    return subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL)


def _mlflow_server() -> subprocess.Popen:
    from stages.tracking import tracking_uri

    command = ["-m", "mlflow", "ui", "--backend-store-uri", tracking_uri(), "--host", "127.0.0.1", "--port", str(MLFLOW_PORT)]
    return subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL)


def _wait_for(url: str, server: subprocess.Popen) -> None:
    for _ in range(START_SECONDS):
        if server.poll() is not None:
            raise InputError(f"the Prefect server ended with exit code {server.returncode}; is port {PREFECT_PORT} taken?")
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(1)
    raise InputError(f"no answer from {url} in {START_SECONDS} s; see {os.environ['PREFECT_HOME']}")


def _until_stopped(servers: list[subprocess.Popen]) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while all(server.poll() is None for server in servers):
            time.sleep(0.5)
        raise InputError("a server ended by itself; is its port taken?")
    except KeyboardInterrupt:
        pass
    finally:
        _stop(servers)


def _stop(servers: list[subprocess.Popen]) -> None:
    for server in servers:
        server.terminate()
    for server in servers:
        try:
            server.wait(timeout=15)
        except subprocess.TimeoutExpired:
            server.kill()
