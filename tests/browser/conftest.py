"""A real browser on the pages that `assay ui` starts in a finished project.

Chromium is Debian's, driven by Playwright for Python; where either is missing the tests are skipped with
the command that brings it. The page of each test is kept under build/screenshots when it ends.
"""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import pytest

from flows.prefect_server.asking import ask
from flows.prefect_server.tied import free_port
from stages.foundation.stage import ROOT

SCREENSHOTS = ROOT / "build/screenshots"
NAMES = ("chromium", "chromium-browser", "google-chrome")
WAIT_MS = 30_000  # for what a page shows, on a busy machine
TEST_SECONDS = 300  # a flow among them; 20 on two idle cores
UP_SECONDS = 120


@pytest.fixture(autouse=True)
def _time_limit():
    """A test that a page keeps waiting fails."""

    def too_late(*_):
        raise TimeoutError(f"the test took more than {TEST_SECONDS} s")

    before = signal.signal(signal.SIGALRM, too_late)
    signal.alarm(TEST_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def chromium():
    """The browser, without anything of a user's."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no chromium on PATH; make chromium")
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("playwright not installed; make chromium")
    from playwright.sync_api import sync_playwright

    # root has no sandbox; pages lie on this machine alone
    flags = ["--no-sandbox", "--disable-background-networking", "--no-proxy-server"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=flags)
        yield browser
        browser.close()


class Seen:
    """A page with what went wrong in it."""

    def __init__(self, page):
        self.page, self.errors = page, []
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._hear)

    def _hear(self, message):
        # a picture of a tab that a foreign page asks for in vain is none of our faults
        if message.type == "error" and "favicon" not in str(message.location):
            self.errors.append(message.text)


@pytest.fixture
def open_page(chromium, request):
    """open_page(url, **options of the browser's context): the page, its picture kept at the end."""
    opened = []

    def go(url, **options):
        context = chromium.new_context(
            viewport={"width": 1400, "height": 1000}, **options
        )
        seen = Seen(context.new_page())
        opened.append(seen)
        seen.page.goto(url)
        return seen

    yield go
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for number, seen in enumerate(opened):
        name = f"{request.node.name}{f'-{number}' if number else ''}.png"
        seen.page.screenshot(path=SCREENSHOTS / name, full_page=True)
        seen.page.context.close()


class Pages:
    """`assay ui` in a project's folder."""

    def __init__(self, project):
        ports = {name: free_port() for name in ("report", "mlflow", "prefect")}
        self.project, self.lines = project, []
        self.urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        options = [f"--{name}-port={port}" for name, port in ports.items()]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "flows.cli", "ui", "--no-browser", *options],
            cwd=project.folder,
            # a module that a test imports may have named the home of the folder that the tests run in
            env=project.environment
            | {"PREFECT_HOME": str(project.folder / ".assay/prefect")},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        self.lines.extend(iter(self.process.stdout.readline, ""))

    def wait(self):
        deadline = time.monotonic() + UP_SECONDS
        while not any("Ctrl-C" in line for line in self.lines):
            assert self.process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)

    @property
    def compare_link(self):
        """The printed link to the charts of the question."""
        [link] = re.findall(r"the runs of filter: (\S+)", "".join(self.lines))
        return link

    def ask(self, server, path, body=None):
        prefix = {"prefect": "api", "mlflow": "api/2.0/mlflow"}[server]
        return ask(f"{self.urls[server]}/{prefix}/{path}", body, seconds=20)

    def end(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=20)
        self.reader.join()
        self.process.stdout.close()


@pytest.fixture(scope="session")
def pages(chromium, finished_project, tmp_path_factory):
    """The pages of a finished project whose runs MLflow has; its scheduled flows have a worker."""
    project = object.__new__(type(finished_project))
    project.folder = tmp_path_factory.mktemp("browser") / "project"
    shutil.copytree(finished_project.folder, project.folder, symlinks=True)
    shutil.copy(ROOT / "prefect.yaml", project.folder)
    project.run("-m", "stages", "publish", check=True)
    with ExitStack() as ending:
        started = Pages(project)
        ending.callback(started.end)
        started.wait()
        worker = start_worker(started)
        ending.callback(worker.wait, timeout=30)
        ending.callback(os.killpg, worker.pid, signal.SIGTERM)
        yield started


def start_worker(pages):
    """Deploys prefect.yaml as an operator does, and starts a worker for its pool."""
    # Prefect's worker turns SIGTERM into SIGINT, and would ignore it where a script started the tests with &
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        " from prefect.cli import app; app()"
    )
    variables = {
        "PREFECT_API_URL": f"{pages.urls['prefect']}/api",
        "PREFECT_HOME": str(pages.project.folder / ".assay/prefect"),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",
        "PREFECT_LOGGING_LEVEL": "WARNING",
    }
    pages.ask("prefect", "work_pools/", {"name": "assay", "type": "process"})
    deploy = ("--no-prompt", "deploy", "--name", "nightly-refresh")
    pages.project.run("-c", code, *deploy, check=True, **variables)
    return subprocess.Popen(
        [sys.executable, "-c", code, "worker", "start", "--pool", "assay"],
        cwd=pages.project.folder,
        env=pages.project.environment | variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
