"""The Prefect server of one `assay run`: our own child in place of Prefect's temporary one, which
outlives a hard kill.

A server that the user names (PREFECT_API_URL, or the active Prefect profile or a settings file) is
used instead. Runs and artifacts stay in the project's database either way, so `assay ui` shows them
afterwards. Where neither can be used the run goes on without Prefect, which only watches, and one
line says why. Cost: 7 CPU seconds before it answers, of which 6 are imports, and 8 more for the migrations of a new
database (measured).
"""

import atexit
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from flows.prefect_server.asking import fault
from flows.prefect_server.tied import free_port, start_tied, stop, wait_for
from stages.foundation.errors import InputError

ADDRESS = "PREFECT_API_URL"
WITHOUT = "ASSAY_WITHOUT_PREFECT"  # set where this run has no server
ASK_SECONDS = 5.0  # assumed: a named server that is slower than this is of no use
LOCKED_SECONDS = 2.0  # assumed: longer than any write of ours
SERVER = (
    *("-m", "prefect", "server", "start", "--host", "127.0.0.1"),
    *("--no-ui", "--log-level", "CRITICAL", "--port"),
)
# What a server of one run must not do, such as start the runs of schedules. The recorder of tasks stays:
# without it a run has no graph and its tasks are nowhere.
SERVICES_OFF = (
    "CANCELLATION_CLEANUP",
    "FOREMAN",
    "LATE_RUNS",
    "PAUSE_EXPIRATIONS",
    "REPOSSESSOR",
    "SCHEDULER",
    "TRIGGERS",
)
# the page of blocks, which `assay ui` fills: 2 CPU seconds
WITHOUT_BLOCKS = {"PREFECT_API_BLOCKS_REGISTER_ON_START": "false"}


@dataclass(frozen=True)
class Server:
    """Where Prefect answers, and the process behind it where it is ours."""

    url: str
    process: subprocess.Popen | None = None

    def fault(self, seconds: float) -> str:
        """Why it cannot be used; empty where it can."""
        if self.process and self.process.poll() is not None:
            return f"has ended with exit code {self.process.returncode}"
        return fault(self.url, seconds=seconds)


def find_server(meanwhile: Callable[[], None] = lambda: None) -> Server | None:
    """The server that Prefect talks to from now on; None, with one line, where there is none.

    meanwhile: called in any case and, where a server of our own is started, while it takes a core for seconds.
    """
    server = _named_or_started()
    meanwhile()
    if server is None or server.process is None:
        return server
    try:
        wait_for(f"{server.url}/health", server.process)
    except (InputError, OSError) as error:
        _go_without(f"Prefect's server did not start: {_line(error)}")
        return None
    os.environ[ADDRESS] = server.url
    _tell_prefect()
    return server


def _named_or_started() -> Server | None:
    try:
        named = named_address()
    except (ValueError, OSError, ImportError) as error:
        _go_without(f"Prefect's settings cannot be read: {_line(error)}")
        return None
    if named:
        why = fault(named, seconds=ASK_SECONDS)
        if not why:
            return Server(named)
        _go_without(f"Prefect at {_bare(named)} {why}")
        return None
    database = Path(os.environ["PREFECT_HOME"]) / "prefect.db"
    if why := database_fault(database):
        _go_without(why)
        return None
    try:
        return _started()
    except (InputError, OSError) as error:
        _go_without(f"Prefect's server did not start: {_line(error)}")
        return None


def _started() -> Server:
    """A server of our own, which does not answer yet."""
    port = free_port()
    off = {f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in SERVICES_OFF}
    process = start_tied(*SERVER, str(port), quiet=True, variables=off | WITHOUT_BLOCKS)
    # after what Prefect registers later: it sends its last log lines at the end
    atexit.register(stop, [process])
    return Server(f"http://127.0.0.1:{port}/api", process)


def named_address() -> str | None:
    """The server that the user names, as Prefect itself reads its settings."""
    if not _may_be_named():
        return None
    from prefect.context import refresh_global_settings_context
    from prefect.settings import get_current_settings

    refresh_global_settings_context()
    return get_current_settings().api.url


def database_fault(file: Path) -> str:
    """What is wrong with the project's Prefect database; empty where it can be used or made."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.is_file():
            return ""
        with closing(sqlite3.connect(file, timeout=LOCKED_SECONDS)) as database:
            database.execute("PRAGMA schema_version").fetchone()
            database.execute("BEGIN IMMEDIATE")
            database.rollback()
    except OSError as error:
        return f"{file.parent} cannot be written ({error.strerror})"
    except sqlite3.OperationalError as error:
        return f"{file}: {error}; another program holds it, or the disk is full"
    except sqlite3.DatabaseError as error:
        return f"{file} is damaged ({error}); delete it to see runs in Prefect again"
    return ""


def _may_be_named() -> bool:
    """Whether a server is named anywhere that Prefect looks: loading its settings takes a second."""
    if ADDRESS in os.environ or Path("prefect.toml").is_file():
        return True
    files = [
        Path(os.environ["PREFECT_HOME"]) / "profiles.toml",
        Path(os.environ.get("PREFECT_PROFILES_PATH", "profiles.toml")),
        Path(".env"),
        Path("pyproject.toml"),
    ]
    texts = [
        file.read_text("utf-8", errors="replace") for file in files if file.is_file()
    ]
    return any(ADDRESS in text or "[tool.prefect" in text for text in texts)


def _tell_prefect() -> None:
    """Its settings are read at import, which may have been before now."""
    if "prefect.context" in sys.modules:
        sys.modules["prefect.context"].refresh_global_settings_context()


def _go_without(why: str) -> None:
    os.environ[WITHOUT] = "1"
    print(f"assay: {why}; the run goes on without Prefect", file=sys.stderr)


def _bare(url: str) -> str:
    """Without user and password."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
