"""`assay ui`: three pages that answer, a busy port that is named, and an end that leaves nothing."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import psutil
import pytest

from flows.pages.session import session_of
from flows.prefect_server.tied import free_port
from stages.foundation.processes.lifeline import is_alive
from stages.foundation.stage import ROOT

UP_SECONDS = 120  # a busy machine; 12 s on two idle cores
END_SECONDS = 5.0


class Ui:
    """`assay ui` on free ports in a folder, with what it prints."""

    def __init__(self, folder, **more):
        self.ports = {name: free_port() for name in ("report", "mlflow", "prefect")}
        options = [f"--{name}-port={port}" for name, port in self.ports.items()]
        environment = {k: v for k, v in os.environ.items() if "PREFECT" not in k}
        environment.pop("MLFLOW_TRACKING_URI", None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "flows.cli", "ui", "--no-browser", *options],
            cwd=folder,
            env=environment | {"PYTHONPATH": str(ROOT)} | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        self.lines.extend(iter(self.process.stdout.readline, ""))

    def wait_until_up(self):
        deadline = time.monotonic() + UP_SECONDS
        while not any("Ctrl-C" in line for line in self.lines):
            assert self.process.poll() is None, self.process.stderr.read()
            assert time.monotonic() < deadline, self.lines
            time.sleep(0.1)
        return self

    def all_processes(self):
        """Its own, and those of every session that it has started."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        led = [one for child in children for one in session_of(child.pid)]
        return list({*children, *led})

    def end(self):
        """Whatever happened: nothing is left."""
        for process in [psutil.Process(self.process.pid), *self.all_processes()]:
            process.kill()
        self.process.wait()


NAMED = {
    "MLFLOW_TRACKING_URI": "http://127.0.0.1:9/mlflow",
    "PREFECT_API_URL": "http://127.0.0.1:9/api",
}


@pytest.fixture
def start_ui(tmp_path):
    """A command that is up; `served_elsewhere` are the pages that others serve, which take no time."""
    started = []

    def up(*served_elsewhere):
        named = {name: NAMED[name] for name in served_elsewhere}
        started.append(Ui(tmp_path, **named))
        return started[-1].wait_until_up()

    yield up
    for ui in started:
        if ui.process.poll() is None:
            ui.end()
        ui.reader.join()
        ui.process.stdout.close()
        ui.process.stderr.close()


def read(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def end_by(ui, number):
    """Its exit code; nothing is left after END_SECONDS."""
    processes = ui.all_processes()
    began = time.monotonic()
    ui.process.send_signal(number)
    code = ui.process.wait(timeout=20)
    assert time.monotonic() - began < END_SECONDS
    assert not left_of(processes)
    return code


def left_of(processes):
    """Those that are alive still, a second later at most; an orphan that nobody asks after is not."""
    deadline = time.monotonic() + 1
    while (left := list(filter(is_alive, processes))) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def test_three_pages_answer_on_loopback_and_ctrl_c_ends_them(start_ui, tmp_path):
    ui = start_ui()
    links = dict(re.findall(r"^(\w+) +(http://\S+)$", "".join(ui.lines), re.M))
    assert {name.lower(): url for name, url in links.items()} == {
        name: f"http://127.0.0.1:{port}" for name, port in ui.ports.items()
    }
    assert "MLflow" in read(links["MLflow"])
    assert "Prefect" in read(links["Prefect"])
    listening = {
        one.laddr.ip
        for process in ui.all_processes()
        for one in process.net_connections("inet")
        if one.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}
    assert len(ui.all_processes()) >= 4
    assert end_by(ui, signal.SIGINT) == 130
    assert ui.process.stderr.read().strip() == "assay: stopped"


def test_servers_that_are_named_are_shown_and_the_report_appears_when_it_is_made(
    start_ui, tmp_path
):
    ui = start_ui(*NAMED)
    said = "".join(ui.lines)
    assert re.search(r"^MLflow +http://127.0.0.1:9/mlflow$", said, re.M)
    assert re.search(r"^Prefect +http://127.0.0.1:9$", said, re.M)
    [server] = ui.all_processes()
    assert "flows.pages.report_server" in server.cmdline()
    page = f"http://127.0.0.1:{ui.ports['report']}/"
    assert "There is no report yet" in read(page)
    (tmp_path / "data/report").mkdir(parents=True)
    (tmp_path / "data/report/index.html").write_text("<p>decided")
    assert read(page) == "<p>decided"
    other = urllib.request.Request(page, headers={"Host": "elsewhere.example"})
    with pytest.raises(urllib.error.HTTPError, match="403") as refused:
        read(other)
    refused.value.close()
    assert end_by(ui, signal.SIGTERM) == 143


def test_a_server_that_dies_is_named_and_nothing_of_it_is_left(start_ui):
    ui = start_ui("PREFECT_API_URL")
    processes = ui.all_processes()
    [web] = [one for one in processes if "uvicorn" in one.cmdline()]
    web.kill()
    assert ui.process.wait(timeout=20) == 1
    [line] = ui.process.stderr.read().strip().splitlines()
    assert line.startswith("assay: MLflow's server has ended: exit code ")
    assert ".assay/logs/ui-mlflow.log has all" in line
    assert not left_of(processes)


def test_a_busy_port_is_named_with_its_holder_before_anything_starts(tmp_path):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli", "ui", f"--mlflow-port={port}"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 2 and not done.stdout
    assert re.fullmatch(
        rf"assay: 127\.0\.0\.1:{port} is taken by \S+ \(process {os.getpid()}\); end"
        r" that program, or `assay ui --mlflow-port \d+`\n",
        done.stderr,
    )
    assert not (tmp_path / ".assay/logs").exists()
