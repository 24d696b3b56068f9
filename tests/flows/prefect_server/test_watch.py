"""A schedule whose server is lost ends what it has started and begins anew, under its number."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[3]
SCHEDULE = """
import json, os, subprocess, sys, time
from pathlib import Path
from flows.prefect_server.own_server import ADDRESS, Server
from flows.prefect_server.watch import watch_schedule
starts = Path("starts.jsonl")
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
children = [subprocess.Popen(sleep), subprocess.Popen(sleep)]
line = {"process": os.getpid(), "address": os.environ.get(ADDRESS),
        "children": [child.pid for child in children]}
is_first = not starts.exists()
with starts.open("a") as file:
    file.write(json.dumps(line) + "\\n")
if is_first:
    os.environ[ADDRESS] = "http://127.0.0.1:9/api"
    watch_schedule(Server(os.environ[ADDRESS], children[0]))
    children[0].kill()
    time.sleep(600)
for child in children:
    child.kill()
"""


def test_a_schedule_whose_server_dies_starts_anew(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    environment.pop("PREFECT_API_URL", None)
    done = subprocess.run(
        [sys.executable, "-c", SCHEDULE],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0
    lines = (tmp_path / "starts.jsonl").read_text().splitlines()
    first, second = map(json.loads, lines)
    assert first["process"] == second["process"]
    assert second["address"] is None  # it starts a server of its own again
    assert not any(psutil.pid_exists(child) for child in first["children"])
    [line] = done.stderr.splitlines()
    assert line.startswith("assay: the Prefect server has ended with exit code -9; it")
