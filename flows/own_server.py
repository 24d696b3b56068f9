"""The Prefect server of one `assay run`: our own child in place of Prefect's temporary one, which
outlives a hard kill.

A server that the user names (PREFECT_API_URL, or a Prefect profile or settings file) is used
instead. Runs and artifacts stay in the project's database either way, so `assay ui` shows them
afterwards. Cost: as Prefect's temporary server, 8-24 s on two idle cores (measured).
"""

import atexit
import os
from pathlib import Path

from flows.tied import free_port, start_tied, stop, wait_for

ADDRESS = "PREFECT_API_URL"


def start_own_server() -> None:
    """From now on Prefect talks to a server that ends with this process. Call before importing prefect."""
    if named_server():
        return
    port = free_port()
    server = start_tied(
        "-m",
        "prefect",
        "server",
        "start",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--no-services",
        "--no-ui",
        "--log-level",
        "ERROR",
    )
    # after what Prefect registers later: it sends its last log lines at the end
    atexit.register(stop, [server])
    os.environ[ADDRESS] = f"http://127.0.0.1:{port}/api"
    wait_for(f"{os.environ[ADDRESS]}/health", server)


def named_server() -> bool:
    """Whether the user names a server somewhere that Prefect looks."""
    if ADDRESS in os.environ or Path("prefect.toml").is_file():
        return True
    files = [
        Path(os.environ["PREFECT_HOME"]) / "profiles.toml",
        Path(".env"),
        Path("pyproject.toml"),
    ]
    texts = [
        file.read_text("utf-8", errors="replace") for file in files if file.is_file()
    ]
    return any(ADDRESS in text or "[tool.prefect" in text for text in texts)
