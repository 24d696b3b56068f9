"""Whether a killed pipeline loses, repeats or changes anything: python benchmarks/kills.py [--kills 40] [--seed 0].

A small project is run once undisturbed. Then, in copies of it without results, `assay run` is killed
at a random moment: the flow, the stage, one of its workers, the Prefect server, DVC's shell, or the
whole process group; by SIGKILL, SIGTERM or SIGINT. After each kill:
- five seconds later no process of the run is left (a killed server or stage leaves the flow itself alive:
  it must end or finish by itself),
- no run file that was finished has changed.
The next start goes on from there, and is killed in its turn, until one finishes. Then the decision must
be that of the undisturbed run, MLflow must hold each trunk once, and after one more start no flow may be
"Running" in Prefect. Prints each kill and, as its last line, one JSON object; exit code 1 for any fault.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from conftest import Project

TARGETS = ("flow", "stage", "worker", "server", "shell", "group")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
AFTER_S, PATIENCE_S = 5.0, 60.0
STATES = "select count(*) from flow_run where state_type in ('RUNNING','PENDING','CANCELLING')"
TRUNKS = """select count(*), count(distinct t.value) from tags t join runs r using (run_uuid)
where t.key = 'assay.trunk_id' and r.status = 'FINISHED' and r.lifecycle_stage = 'active'"""


def processes_of(folder: Path) -> list[psutil.Process]:
    """Everything alive that works in the project's folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            alive = process.status() != psutil.STATUS_ZOMBIE
            if alive and process.cwd().startswith(str(folder)):
                found.append(process)
    return found


def of_kind(process: psutil.Process) -> str:
    """Which of the targets a process is."""
    with suppress(psutil.Error):
        line = " ".join(process.cmdline())
        if "mlflow" in line:
            return "mlflow"
        if "flows.cli run" in line:
            return "flow"
        if "prefect" in line and "server" in line:
            return "server"
        if process.name() in {"sh", "bash"}:
            return "shell"
        if "-m stages " in line:
            return "stage"
        return "worker"
    return ""


class Campaign:
    """Kills in copies of one project, and the faults that they showed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.draw, self.folder, self.faults = random.Random(seed), folder, []
        self.n_kills, self.n_copies = 0, 0
        self.fresh = Project(folder / "fresh")
        self.whole = self.copy("whole")
        started = time.monotonic()
        done = self.whole.run("-m", "flows.cli", "run")
        self.whole_s = time.monotonic() - started
        # what is left of the run, and the 30 s within which a lost server is noticed
        self.patience_s = PATIENCE_S + 2 * self.whole_s
        if done.returncode:
            sys.exit(f"the undisturbed run failed: {done.stderr[-300:]}")

    def copy(self, name: str) -> Project:
        shutil.copytree(self.fresh.folder, self.folder / name, symlinks=True)
        made = object.__new__(Project)
        made.folder = self.folder / name
        return made

    def go(self, n_kills: int) -> None:
        while self.n_kills < n_kills:
            self.n_copies += 1
            project = self.copy(f"copy{self.n_copies}")
            while self.n_kills < n_kills and self.killed(project):
                pass
            self.finish(project)
            shutil.rmtree(project.folder, ignore_errors=True)

    def killed(self, project: Project) -> bool:
        """Start, kill something, look; False where the run ended before."""
        flow = project.start("-m", "flows.cli", "run")
        try:
            flow.wait(self.draw.uniform(1.0, 0.6 * self.whole_s))
            return False
        except subprocess.TimeoutExpired:
            pass
        before = project.runs()
        target, number = self.draw.choice(TARGETS), self.draw.choice(SIGNALS)
        where = self.send(project, flow, target, number)
        self.n_kills += 1
        ends = target in {"flow", "group"}
        with suppress(subprocess.TimeoutExpired):
            flow.wait(AFTER_S if ends else self.patience_s)
        time.sleep(AFTER_S if not ends or flow.poll() is not None else 0)
        left = processes_of(project.folder)
        self.say(
            f"kill {self.n_kills}: {signal.Signals(number).name} to {where}", not left
        )
        if left:
            self.fault(
                f"{where}: {len(left)} processes left: {[of_kind(p) for p in left]}"
            )
            for process in left:
                with suppress(psutil.Error):
                    process.kill()
        flow.wait()
        after = project.runs()
        changed = [name for name in before if after.get(name) != before[name]]
        if changed:
            self.fault(f"{where}: {len(changed)} finished run files changed")
        return flow.returncode != 0

    def send(
        self, project: Project, flow: subprocess.Popen, target: str, number: int
    ) -> str:
        """Signal one process of the kind, the flow where there is none; what was hit."""
        if target == "group":
            os.killpg(flow.pid, number)
            return target
        alike = [p for p in processes_of(project.folder) if of_kind(p) == target]
        hit = self.draw.choice(alike) if alike else psutil.Process(flow.pid)
        kind = of_kind(hit)
        with suppress(psutil.Error):
            hit.send_signal(number)
        return kind

    def finish(self, project: Project) -> None:
        """The last start ends well, with what an undisturbed run gives."""
        before = project.runs()
        done = project.run("-m", "flows.cli", "run")
        if done.returncode:
            self.fault(
                f"the start after the kills: exit code {done.returncode}: {done.stderr[-200:]}"
            )
            return
        if any(project.runs()[name] != time_ns for name, time_ns in before.items()):
            self.fault("finished runs were trained again")
        if project.decision() != self.whole.decision():
            self.fault("another decision")
        project.run("-m", "flows.cli", "run")
        running = _count(project.folder / ".assay/prefect/prefect.db", STATES)
        if running[0]:
            self.fault(f"{running[0]} flows are still running in Prefect")
        if databases := list(project.folder.glob("**/mlflow.db")):
            rows, trunks = _count(databases[0], TRUNKS)
            expected = _count(next(self.whole.folder.glob("**/mlflow.db")), TRUNKS)
            if (rows, trunks) != expected:
                self.fault(
                    f"MLflow holds {rows} rows of {trunks} trunks, not {expected}"
                )
        self.say(
            f"copy {self.n_copies} finished after {self.n_kills} kills", not self.faults
        )

    def fault(self, text: str) -> None:
        self.faults.append(text)
        print(f"  FAULT {text}", flush=True)

    def say(self, text: str, well: bool) -> None:
        print(f"{text}{'' if well else ' (see faults)'}", flush=True)


def _count(database: Path, query: str) -> tuple[int, ...]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as opened:
        return opened.execute(query).fetchone()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kills_") as folder:
        campaign = Campaign(Path(folder), asked.seed)
        campaign.go(asked.kills)
    found = {
        "kills": campaign.n_kills,
        "runs_finished": campaign.n_copies,
        "faults": campaign.faults,
        "seed": asked.seed,
        "seconds": round(time.monotonic() - started),
    }
    print(json.dumps(found))
    return int(bool(campaign.faults))


if __name__ == "__main__":
    sys.exit(main())
