"""A pipeline that is left alone with a schedule, changing pools and kills: python benchmarks/soak.py [--minutes 60]
[--kills 40] [--change SECONDS] [--seed 0] [--postgres].

A small project has a Prefect server and an MLflow server of its own, which are started again when they die, as
a service manager does. `assay run` is started again and again, as cron does; a pool gets new documents every
--change seconds, whatever is running. At random moments one process is killed by SIGKILL: the flow, the
stage, one of its workers, DVC's shell, the flow's whole process group, the Prefect server or the MLflow server;
with --postgres, which asks for PostgreSQL and psycopg2, both servers keep theirs in it and one of its processes is
hit too (SQLite has none of its own). The kinds take turns in a drawn order, and a kill waits for a process of its kind.
At the end, after one undisturbed start: the decision must be that of a project which has the last pools from the
beginning; no file of a finished run may have changed; MLflow holds each trunk once; neither Prefect nor MLflow says
Running; no process is left. Prints each event and, as its last line, one JSON object; exit code 1 for any fault.
"""

import argparse
import atexit
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "benchmarks")]

from conftest import Postgres, Project, document
from kills import STATES, TRUNKS, _count, of_kind, processes_of

from flows.pages.session import end_session
from flows.prefect_server.tied import free_port, stop, wait_for

TARGETS = ("flow", "stage", "worker", "shell", "group", "server", "mlflow")
LOOK_S, PAUSE_S, DOWN_S, LAST_S = 0.25, 5.0, 3.0, 90.0
PATIENCE_S = 120.0  # for a process of the kind whose turn it is
FIRST_S = 600.0  # for a server to make its tables, on a machine with other work
RUNNING = (
    "select count(*) from runs where status = 'RUNNING' and lifecycle_stage = 'active'"
)


class Service:
    """A server that is started again some seconds after it has died."""

    def __init__(self, project: Project, name: str) -> None:
        self.project, self.name, self.port = project, name, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.died = 0.0
        self.start()
        wait_for(f"{self.url}{self.health}", self.process, seconds=FIRST_S)

    @property
    def health(self) -> str:
        return "/health" if self.name == "mlflow" else "/api/health"

    def start(self) -> None:
        port = ("--host", "127.0.0.1", "--port", str(self.port))
        if self.name == "mlflow":
            command = ("mlflow", "server", *port, "--workers", "1")
        else:
            command = ("prefect", "server", "start", "--no-ui", *port)
        # ends with this process, and with all that it has started
        through = ("-m", "flows.pages.session", str(os.getpid()), "-m")
        self.process = subprocess.Popen(
            [sys.executable, *through, *command],
            cwd=self.project.folder,
            env=self.project.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def look(self) -> None:
        if self.process.poll() is None:
            return
        self.died = self.died or time.monotonic()
        if time.monotonic() - self.died > DOWN_S:
            self.died = 0.0
            end_session(self.process.pid)
            self.start()

    def end(self) -> None:
        stop([self.process])
        end_session(self.process.pid)


class Database:
    """A PostgreSQL that is started again some seconds after its first process has died."""

    def __init__(self) -> None:
        self.server, self.died = Postgres(), 0.0
        atexit.register(self.server.end)
        for name in ("prefect", "mlflow"):
            with closing(self.connect("postgres")) as opened:
                opened.autocommit = True
                opened.cursor().execute(f"create database {name}")

    @property
    def process(self) -> subprocess.Popen:
        return self.server.process

    def url(self, name: str, driver: str = "postgresql") -> str:
        return f"{driver}://{self.server.address}/{name}"

    def connect(self, name: str):
        import psycopg2

        return psycopg2.connect(self.url(name))

    def count(self, name: str, query: str) -> tuple[int, ...]:
        with closing(self.connect(name)) as opened, opened.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone()

    def processes(self) -> list[psutil.Process]:
        with suppress(psutil.Error):
            first = psutil.Process(self.server.process.pid)
            return [first, *first.children()]
        return []

    def look(self) -> None:
        if self.server.process.poll() is None:
            return
        self.died = self.died or time.monotonic()
        if time.monotonic() - self.died > DOWN_S:
            self.died = 0.0
            # processes of the dead server may still hold its memory; then it is tried again
            with suppress(AssertionError):
                self.server.start()


class Soak:
    """One project under a schedule, and the faults that it showed."""

    def __init__(self, folder: Path, seed: int, postgres: bool = False) -> None:
        self.draw, self.faults, self.hit = random.Random(seed), [], Counter()
        self.folder, self.project = folder, Project(folder / "soaked")
        self.n_changes = self.n_starts = self.n_finished = 0
        self.seen: dict[str, float] = {}
        home = self.project.folder / ".assay/prefect"
        home.mkdir(parents=True)
        os.environ["PREFECT_HOME"] = str(home)
        self.database = Database() if postgres else None
        os.environ["MLFLOW_BACKEND_STORE_URI"] = (
            f"sqlite:///{self.project.folder / 'mlflow.db'}"
        )
        if self.database is not None:
            os.environ["MLFLOW_BACKEND_STORE_URI"] = self.database.url("mlflow")
            os.environ["PREFECT_API_DATABASE_CONNECTION_URL"] = self.database.url(
                "prefect", driver="postgresql+asyncpg"
            )
        os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
        self.services = [Service(self.project, name) for name in ("prefect", "mlflow")]
        # what is started again when it dies
        self.kept = [*filter(None, [self.database]), *self.services]
        os.environ["PREFECT_API_URL"] = f"{self.services[0].url}/api"
        os.environ["MLFLOW_TRACKING_URI"] = self.services[1].url
        self.flow: subprocess.Popen | None = None
        self.rest_until = self.waits_since = 0.0
        self.turns: list[str] = []

    def go(self, seconds: float, n_kills: int, change_s: float) -> None:
        began = time.monotonic()
        kills = sorted(self.draw.uniform(10, seconds) for _ in range(n_kills))
        while (now := time.monotonic() - began) < seconds:
            self.look()
            self.schedule()
            if now > (self.n_changes + 1) * change_s:
                self.change()
            if kills and now > kills[0] and self.kill():
                kills.pop(0)
            time.sleep(LOOK_S)

    def look(self) -> None:
        """Start what has died."""
        for one in self.kept:
            one.look()

    def schedule(self) -> None:
        """Start the flow as cron does; one that is at work goes on."""
        if self.flow is not None and self.flow.poll() is None:
            return
        if self.flow is not None:
            self.n_finished += self.flow.returncode == 0
            self.flow, self.rest_until = None, time.monotonic() + PAUSE_S
            self.look_at_runs()
        if time.monotonic() > self.rest_until:
            self.n_starts += 1
            self.flow = self.project.start("-m", "flows.cli", "run")

    def change(self) -> None:
        """New documents at the end of a pool, whole or not at all."""
        self.n_changes += 1
        pool, draw = (
            self.project.folder / "raw/noise.jsonl",
            random.Random(self.n_changes),
        )
        rows = [{"body": document(draw, noisy=True)} for _ in range(10)]
        added = "".join(json.dumps(row) + "\n" for row in rows)
        new = pool.with_name("new.tmp")
        new.write_text(pool.read_text() + added)
        new.replace(pool)
        print(f"pool changed: {self.n_changes}", flush=True)

    def kill(self) -> bool:
        """One process of the kind whose turn it is; False while there is none, the flow after PATIENCE_S."""
        if not self.turns:
            self.turns = [*TARGETS, *(["database"] if self.database else [])]
            self.draw.shuffle(self.turns)
        target, now = self.turns[0], time.monotonic()
        self.waits_since = self.waits_since or now
        found = self.processes(target)
        if not found and now - self.waits_since < PATIENCE_S:
            return False
        if not found:
            target, found = "flow", self.processes("flow")
        with suppress(psutil.Error, IndexError):
            hit = self.draw.choice(found)
            os.killpg(hit.pid, signal.SIGKILL) if target == "group" else hit.kill()
        self.turns.pop(0)
        self.waits_since = 0.0
        self.hit[target] += 1
        print(f"kill {sum(self.hit.values())}: {target}", flush=True)
        return True

    def processes(self, target: str) -> list[psutil.Process]:
        """Those of a kind that are there now."""
        if target == "database":
            return self.database.processes()
        if target == "group":
            alive = self.flow is not None and self.flow.poll() is None
            return [psutil.Process(self.flow.pid)] if alive else []
        return [p for p in processes_of(self.project.folder) if of_kind(p) == target]

    def look_at_runs(self) -> None:
        """A file of a finished run that is there for a second time was trained twice."""
        now = self.project.runs()
        changed = [name for name, when in self.seen.items() if now.get(name) != when]
        if changed:
            self.fault(f"{len(changed)} finished runs were trained again or lost")
        self.seen = now

    def finish(self) -> None:
        """One undisturbed start, and what must hold after it."""
        self.wait_for_flow()
        deadline = time.monotonic() + 2 * LAST_S
        while any(one.died or one.process.poll() is not None for one in self.kept):
            self.look()
            time.sleep(LOOK_S)
            if time.monotonic() > deadline:
                break
        for service in self.services:
            wait_for(f"{service.url}{service.health}", service.process)
        done = self.project.run("-m", "flows.cli", "run")
        if done.returncode:
            self.fault(f"the last start: {done.stderr[-300:]}")
            return
        self.look_at_runs()
        self.compare()
        self.look_at_services()

    def wait_for_flow(self) -> None:
        if self.flow is not None:
            with suppress(subprocess.TimeoutExpired):
                self.flow.wait(10 * LAST_S)

    def compare(self) -> None:
        """With a project that has had the last pools from the beginning."""
        last = (self.project.folder / "raw/noise.jsonl").read_bytes()
        named = {"PREFECT_API_URL": os.environ.pop("PREFECT_API_URL")}
        plain = Project(self.folder / "plain")
        (plain.folder / "raw/noise.jsonl").write_bytes(last)
        plain.repro()
        os.environ.update(named)
        if plain.decision() != self.project.decision():
            self.fault("another decision than that of the undisturbed project")
        missing = plain.runs().keys() - self.project.runs().keys()
        if missing:
            self.fault(f"{len(missing)} runs are missing")

    def look_at_services(self) -> None:
        deadline = time.monotonic() + LAST_S
        while time.monotonic() < deadline:
            left = self.count("prefect", STATES)[0], self.count("mlflow", RUNNING)[0]
            if left == (0, 0):
                break
            time.sleep(1)
        else:
            self.fault(f"Running after {LAST_S:g} s: {left[0]} flows, {left[1]} runs")
        rows, trunks = self.count("mlflow", TRUNKS)
        if rows != trunks or not rows:
            self.fault(f"MLflow holds {rows} rows of {trunks} trunks")

    def count(self, name: str, query: str) -> tuple[int, ...]:
        """The row that one server's database answers."""
        if self.database is not None:
            return self.database.count(name, query)
        files = {"prefect": ".assay/prefect/prefect.db", "mlflow": "mlflow.db"}
        return _count(self.project.folder / files[name], query)

    def end(self) -> None:
        for service in self.services:
            service.end()
        folders = [self.project.folder]
        if self.database is not None:
            self.database.server.end()
            folders.append(self.database.server.folder)
        time.sleep(PAUSE_S)
        if left := [one for folder in folders for one in processes_of(folder)]:
            self.fault(f"{len(left)} processes left: {[of_kind(p) for p in left]}")
            for process in left:
                with suppress(psutil.Error):
                    process.kill()

    def fault(self, text: str) -> None:
        self.faults.append(text)
        print(f"  FAULT {text}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--change", type=float, default=180.0, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--postgres", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak_") as folder:
        soak = Soak(Path(folder), asked.seed, asked.postgres)
        try:
            soak.go(60 * asked.minutes, asked.kills, asked.change)
            soak.finish()
        finally:
            soak.end()
    found = {
        "minutes": asked.minutes,
        "database": "PostgreSQL" if asked.postgres else "SQLite",
        "kills": dict(soak.hit),
        "starts": soak.n_starts,
        "ended_well": soak.n_finished,
        "pool_changes": soak.n_changes,
        "finished_runs": len(soak.seen),
        "faults": soak.faults,
        "seed": asked.seed,
    }
    print(json.dumps(found))
    return int(bool(soak.faults))


if __name__ == "__main__":
    sys.exit(main())
