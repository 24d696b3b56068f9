"""The three pages: what is started for each, where it answers, and what is used that others serve."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from flows.pages.ports import HOST
from flows.pages.session import end_session
from flows.prefect_server.own_server import named_address
from flows.prefect_server.tied import answers, start_tied
from stages.foundation import artefacts
from stages.foundation.one_line import one_line
from stages.runs.mlflow_store.links import is_served, page_address
from stages.runs.mlflow_store.store import tracking_uri


@dataclass
class Page:
    """One page. health: what answers once it is up; server: its process, None where others run it."""

    name: str
    url: str
    health: str = ""
    server: subprocess.Popen | None = None

    @property
    def log(self) -> Path:
        """What its server says."""
        return Path(artefacts.log_file(f"ui-{self.name.lower()}"))

    def start(
        self, *arguments: str, through: str = "flows.prefect_server.tied"
    ) -> None:
        self.server = start_tied(*arguments, log=self.log, through=through)

    def is_up(self) -> bool:
        return self.server is None or answers(f"{self.url}{self.health}")

    def death(self) -> str:
        """How its server ended, with its last line; empty while it lives."""
        if self.server is None or self.server.poll() is None:
            return ""
        said = self.log.read_text("utf-8", errors="replace").strip().splitlines()
        last = f": {one_line(said[-1], 120)}" if said else ""
        return f"exit code {self.server.returncode}{last} ({self.log} has all)"

    def end_rest(self) -> None:
        """End what a server that is over has left."""
        if self.server is not None:
            end_session(self.server.pid)


def report_page(port: int) -> Page:
    """The folder of the report."""
    page = Page("Report", f"http://{HOST}:{port}")
    page.start("-m", "flows.pages.report_server", str(port))
    return page


def mlflow_page(port: int) -> Page:
    """The store of this project or the one that MLFLOW_TRACKING_URI names; a server is used as it is."""
    if is_served():
        return Page("MLflow", page_address())
    # not on the command line, which every user of the machine can read
    os.environ["MLFLOW_BACKEND_STORE_URI"] = tracking_uri()
    # its jobs judge answers of agents, of which we have none: nine processes less
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    page = Page("MLflow", f"http://{HOST}:{port}", health="/health")
    options = ("--host", HOST, "--port", str(port), "--workers", "1")
    page.start("-m", "mlflow", "server", *options, through="flows.pages.session")
    return page


def prefect_page(port: int) -> Page:
    """The project's own database, or the server that the user names."""
    if named := named_address():
        return Page("Prefect", named.removesuffix("/").removesuffix("/api"))
    page = Page("Prefect", f"http://{HOST}:{port}", health="/api/health")
    # what its page asks; without this it is port 4200, wherever the server listens
    os.environ["PREFECT_UI_API_URL"] = f"{page.url}/api"
    options = ("--host", HOST, "--port", str(port))
    page.start("-m", "prefect", "server", "start", *options)
    return page
