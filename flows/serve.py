"""`assay serve` schedules the flow, on the loopback address."""

import os
import subprocess

from flows import environment
from flows.prefect_server.leftovers import crash_leftovers
from flows.prefect_server.own_server import ADDRESS, Server
from flows.prefect_server.tied import start_tied, stop, wait_for
from flows.prefect_server.watch import stop_watching, watch_schedule
from flows.run_lease import run_lease
from stages.foundation.errors import InputError
from stages.foundation.processes.lifeline import sign

PREFECT_PORT = 4200


def serve_forever(cron: str) -> None:
    """A Prefect server and a deployment that runs the whole pipeline at `cron`, until Ctrl-C.

    The temporary server of a plain run keeps no schedule, so one is started here unless PREFECT_API_URL
    names one. It is started anew where it dies or is mute.
    """
    if len(cron.split()) != 5:
        raise InputError(
            f"--cron {cron!r}: needs five fields, for example '0 3 * * *' for every"
            " night at three"
        )
    environment.prepare()
    environment.make_home()
    servers = []
    if ADDRESS not in os.environ:
        servers.append(_prefect_server())
        os.environ[ADDRESS] = f"http://127.0.0.1:{PREFECT_PORT}/api"
        wait_for(f"{os.environ[ADDRESS]}/health", servers[0])
        watch_schedule(Server(os.environ[ADDRESS], servers[0]))
    _crash_leftovers(servers)
    sign()  # a flow ends with this process
    environment.find_python()
    from flows.pipeline import pipeline

    try:
        pipeline.serve(name="scheduled", cron=cron, limit=1)
    finally:
        stop_watching()
        stop(servers)


def _crash_leftovers(servers: list[subprocess.Popen]) -> None:
    """Flows of processes that were killed; while another run is at work, those that are known to be."""
    url = os.environ[ADDRESS]
    try:
        with run_lease():
            crash_leftovers(Server(url, servers[0] if servers else None))
    except InputError:
        crash_leftovers(Server(url))


def _prefect_server() -> subprocess.Popen:
    return start_tied(
        "-m",
        "prefect",
        "server",
        "start",
        "--host",
        "127.0.0.1",
        "--port",
        str(PREFECT_PORT),
    )
