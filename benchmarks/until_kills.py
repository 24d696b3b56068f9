"""Whether `assay run --until`, killed between its steps, ends as if undisturbed: python benchmarks/until_kills.py.

A small project is decided once. In copies of it `assay run --until p_best=0.99 --max-flops X` goes on: undisturbed,
with the run's own Prefect server, and with a Prefect server that is there already, on the loopback address. In the last
two the whole process group gets SIGKILL four times, each in another start of the same command: once the first added run
is written, while params.yaml is written, between rounds, and once the round after has decided. After each kill:
- five seconds later no process of the run is left,
- params.yaml reads, and has as many added runs as before or one more.
In the end: the undisturbed `sweep.added` and decision (but for times and the files that hold seconds); no file of a
finished run was written again; the added runs on disk cost at most X in all; MLflow holds each trunk once; Prefect says
Running of nothing. Prints each kill and, as its last line, one JSON object; exit code 1 for any fault.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "benchmarks")]

from conftest import Project
from kills import AFTER_S, STATES, TRUNKS, _count, of_kind, processes_of

from flows.prefect_server.own_server import ADDRESS
from flows.prefect_server.tied import free_port, start_tied, stop, wait_for
from stages.runs.study import ADDED_SEED

MAX_FLOPS = 1.9e9  # three rounds of this project
GOAL = ("run", "--until", "p_best=0.99", "--max-flops", f"{MAX_FLOPS:g}")
LOOK_S, PATIENCE_S = 0.0005, 900.0
STATE_S = 20.0  # for the last states to reach the database
# of the record: times, the hash over them, and hashes of files that hold seconds
FREE = ("created", "dvc", "inputs")
MOMENTS = ("first added run", "params.yaml half written", "between rounds", "decided")


def decided_project(folder: Path) -> Project:
    """Two draws of three arms that lie near each other, brought to a first decision."""
    project = Project(folder)
    values = project.params()
    values["target"] = {"params": 24_576, "tokens": 20_480, "pool_tokens": 16_000}
    arms = values["arms"]
    arms["questions"]["filter"]["arms"] = ["keep_20", "keep_25", "easy_50"]
    arms["arms"]["keep_25"] = {"keep": 0.25}
    arms["controls"]["same"]["like"] = "keep_20"
    project.write_params(values)
    project.run("-m", "flows.cli", "dvc-yaml", check=True)
    project.repro(
        MLFLOW_TRACKING_URI="http://127.0.0.1:9",
        PREFECT_API_URL="http://127.0.0.1:9/api",
    )
    return project


def copied(project: Project, folder: Path) -> Project:
    shutil.copytree(project.folder, folder, symlinks=True)
    copy = object.__new__(Project)
    copy.folder = folder
    return copy


def added(project: Project) -> list[dict]:
    return project.params()["sweep"].get("added") or []


def started(project: Project) -> subprocess.Popen:
    with (project.folder / "said.log").open("a") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "flows.cli", *GOAL],
            cwd=project.folder,
            env=project.environment,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )


def moment(project: Project, name: str) -> Callable[[], bool]:
    """Whether the moment has come, asked again and again from now on."""
    folder = project.folder
    runs, n_added = set(project.runs()), len(added(project))
    params = folder / "params.yaml"
    size, decision = params.stat().st_size, folder / "data/decisions/filter.json"
    before = decision.stat().st_mtime_ns

    def written() -> bool:
        return bool(set(project.runs()) - runs)

    def half_written() -> bool:
        return any(name.startswith(".params.yaml.") for name in os.listdir(folder))

    def between() -> bool:
        return params.stat().st_size != size and len(added(project)) > n_added

    def decided() -> bool:
        with suppress(FileNotFoundError):
            return written() and decision.stat().st_mtime_ns != before
        return False

    return dict(zip(MOMENTS, (written, half_written, between, decided), strict=True))[
        name
    ]


class Turn:
    """One copy that is killed at every moment and then carried to the end."""

    def __init__(self, project: Project, whole: Project, server: str) -> None:
        self.project, self.whole, self.server = project, whole, server
        self.faults: list[str] = []
        self.n_kills = 0

    def go(self) -> list[str]:
        for name in MOMENTS:
            self.kill(name)
        self.finish()
        return self.faults

    def kill(self, name: str) -> None:
        before, n_added = self.project.runs(), len(added(self.project))
        come = moment(self.project, name)
        flow = started(self.project)
        deadline = time.monotonic() + PATIENCE_S
        while not come() and flow.poll() is None and time.monotonic() < deadline:
            time.sleep(LOOK_S)
        if flow.poll() is not None:
            return self.fault(f"{name}: it had ended with {flow.returncode} before")
        os.killpg(flow.pid, signal.SIGKILL)
        self.n_kills += 1
        flow.wait()
        time.sleep(AFTER_S)
        for process in (left := processes_of(self.project.folder)):
            self.fault(f"{name}: a process is left: {of_kind(process)}")
            with suppress(psutil.Error):
                process.kill()
        try:
            more = len(added(self.project)) - n_added
        except (yaml.YAMLError, TypeError, KeyError) as error:
            return self.fault(f"{name}: params.yaml does not read: {error}")
        if more not in (0, 1):
            self.fault(f"{name}: {more} runs were added at once")
        self.unchanged(before, name)
        litter = list(self.project.folder.glob(".params.yaml.*"))
        print(
            f"{self.server}: SIGKILL at {name}: {n_added + more} added, {len(left)}"
            f" processes left, {len(litter)} files half written",
            flush=True,
        )

    def unchanged(self, before: dict[str, float], name: str) -> None:
        after = self.project.runs()
        changed = [run for run in before if after.get(run) != before[run]]
        if changed:
            self.fault(f"{name}: {len(changed)} finished runs were written again")

    def finish(self) -> None:
        before = self.project.runs()
        if code := started(self.project).wait():
            return self.fault(f"the last start ended with exit code {code}")
        self.unchanged(before, "the last start")
        if added(self.project) != added(self.whole):
            self.fault("other runs were added")
        for key, value in record(self.whole).items():
            if record(self.project)[key] != value:
                self.fault(f"the record differs in {key}")
        if (spent := added_flops(self.project)) > MAX_FLOPS:
            self.fault(f"the added runs cost {spent:g} FLOPs")
        if list(self.project.folder.glob(".params.yaml.*")):
            self.fault("a half written params.yaml is left")
        if processes_of(self.project.folder):
            self.fault("a process is left in the end")
        rows = [
            _count(next(each.folder.glob("**/mlflow.db")), TRUNKS)
            for each in (self.project, self.whole)
        ]
        if rows[0] != rows[1]:
            self.fault(f"MLflow holds {rows[0]} rows and trunks, not {rows[1]}")

    def fault(self, text: str) -> None:
        self.faults.append(f"{self.server}: {text}")
        print(f"  FAULT {self.server}: {text}", flush=True)


def record(project: Project) -> dict:
    """The decision record without what differs between equal runs."""
    found = json.loads((project.folder / "data/decisions/filter.json").read_text())
    del found["content_hash"]
    for name in FREE:
        del found["provenance"][name]
    return found


def added_flops(project: Project) -> float:
    """6ND of all that was trained beyond the grid."""
    runs = [
        json.loads((project.folder / "data/sweep/runs" / name).read_text())["result"]
        for name in project.runs()
    ]
    return sum(
        run["budgets"][-1]["flops"] for run in runs if run["spec"]["seed"] >= ADDED_SEED
    )


def running(database: Path) -> int:
    """Flows that are not said to have ended; waits for the last states."""
    deadline = time.monotonic() + STATE_S
    while (left := _count(database, STATES)[0]) and time.monotonic() < deadline:
        time.sleep(0.5)
    return left


def main() -> int:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    began, faults = time.monotonic(), []
    with tempfile.TemporaryDirectory(prefix="until_kills_") as name:
        folder = Path(name)
        base = decided_project(folder / "base")
        whole = copied(base, folder / "whole")
        if started(whole).wait():
            sys.exit(
                f"undisturbed it failed: {(whole.folder / 'said.log').read_text()[-600:]}"
            )
        n_added, spent = len(added(whole)), added_flops(whole)
        print(f"undisturbed: {n_added} runs added, {spent:.3g} FLOPs", flush=True)
        turns = []
        turn = Turn(copied(base, folder / "own"), whole, "own server")
        faults += turn.go()
        turns.append((turn, turn.project.folder / ".assay/prefect/prefect.db"))
        home, port = folder / "home", free_port()
        url = f"http://127.0.0.1:{port}/api"
        server = start_tied(
            *("-m", "prefect", "server", "start", "--host", "127.0.0.1", "--no-ui"),
            *("--port", str(port)),
            quiet=True,
            variables={"PREFECT_HOME": str(home)},
        )
        wait_for(f"{url}/health", server, seconds=PATIENCE_S)
        os.environ[ADDRESS] = url
        turn = Turn(copied(base, folder / "named"), whole, "named server")
        faults += turn.go()
        turns.append((turn, home / "prefect.db"))
        for turn, database in turns:
            if left := running(database):
                faults.append(f"{turn.server}: {left} flows are still running")
        stop([server])
    found = {
        "kills": sum(turn.n_kills for turn, _ in turns),
        "added": n_added,
        "flops": spent,
        "max_flops": MAX_FLOPS,
        "faults": faults,
        "seconds": round(time.monotonic() - began),
    }
    print(json.dumps(found))
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
