"""Prefect and MLflow kept inside the project, quiet, and patient with slow machines.

Both read their settings at import, so this is imported before either. A user's own variables win.
"""

import os
import sys
from pathlib import Path

from stages.foundation import artefacts

HOME = Path.cwd() / artefacts.WORK

DEFAULTS = {
    "PREFECT_HOME": str(HOME / "prefect"),
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": (
        "180"
    ),  # measured: 8-24 s on two idle cores, with its migrations
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "INFO",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "DVC_NO_ANALYTICS": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "RAY_USAGE_STATS_ENABLED": "0",
    "GIT_PYTHON_REFRESH": "quiet",
}


LOOPBACK = ("127.0.0.1", "localhost", "::1")


def prepare() -> None:
    """Set what is not set. Call before importing prefect, dvc or mlflow."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = with_loopback(os.environ.get(name, ""))


def with_loopback(hosts: str) -> str:
    """A list for NO_PROXY to which this machine's own addresses are added: no proxy can reach them.

    >>> with_loopback("intern.example,localhost")
    'intern.example,localhost,127.0.0.1,::1'
    """
    known = [host.strip() for host in hosts.split(",") if host.strip()]
    if "*" in known:
        return hosts
    return ",".join([*known, *(host for host in LOOPBACK if host not in known)])


def find_python() -> None:
    """DVC calls `python`: that of this environment, whoever has started the process."""
    own = str(Path(sys.executable).parent)
    if os.environ.get("PATH", "").partition(os.pathsep)[0] != own:
        os.environ["PATH"] = f"{own}{os.pathsep}{os.environ.get('PATH', '')}"


def make_home() -> None:
    """The folder of Prefect's database, for the commands that start a flow or a server."""
    (HOME / "prefect").mkdir(parents=True, exist_ok=True)
