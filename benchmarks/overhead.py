"""What Prefect, DVC and MLflow cost on top of the stages: python benchmarks/overhead.py [--of SECONDS] [--repeats 1].

A small project is made twice. In one the stage functions are called one after another in one process; in
the other `assay run` does the same with its server, DVC and MLflow. Wall time and CPU time of both, and where
the difference goes: until the flow begins (Python, Prefect's server), before and between stages (what DVC has
to hash), around each stage (its process and imports, DVC's record), MLflow, artifacts, the end. --of: the
wall time of a project whose stages take longer, such as the demo; what is added does not grow with them.
Prints a table and, as its last line, one JSON object.
"""

import argparse
import json
import os
import platform
import re
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from conftest import Project

DIRECT = """
import json, time
began = time.monotonic()
from stages.pipeline import PIPELINE
from stages.settings.params import load_params
params, took = load_params("params.yaml", PIPELINE), {}
took["imports"] = time.monotonic() - began
for stage in PIPELINE:
    start = time.monotonic()
    stage.carry_out(params[stage.name])
    took[stage.name] = time.monotonic() - start
print(json.dumps(took))
"""
RUNS = "select start_time, end_time from flow_run order by start_time desc limit 1"
TASKS = "select name, start_time, end_time from task_run order by start_time"
DONE = re.compile(r"(\w+): done in ([\d.]+) s")
LIMIT_SHARE, LIMIT_SECONDS = 0.15, 25.0


def timed(project: Project, *arguments: str) -> tuple[float, float, str]:
    """Wall seconds, CPU seconds of the command and all that it started, what it printed."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = project.run(*arguments, check=True, PREFECT_LOGGING_LEVEL="INFO")
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return wall, cpu, done.stdout + done.stderr


def moment(text: str) -> float:
    """Seconds since 1970 of Prefect's times, which are UTC."""
    return datetime.fromisoformat(f"{text}+00:00").timestamp()


def direct(folder: Path) -> dict[str, float]:
    """The stage functions in one process: their wall and CPU seconds, with imports."""
    wall, cpu, said = timed(Project(folder), "-c", DIRECT)
    stages = json.loads(said.splitlines()[0] if said.startswith("{") else _last(said))
    return {"wall": wall, "cpu": cpu, "stages": sum(stages.values())}


def _last(said: str) -> str:
    return next(line for line in reversed(said.splitlines()) if line.startswith("{"))


def with_tools(folder: Path) -> dict[str, float]:
    """`assay run`, and how its wall time divides."""
    project, began = Project(folder), time.time()
    wall, cpu, said = timed(project, "-m", "flows.cli", "run")
    database = folder / ".assay/prefect/prefect.db"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as opened:
        start, end = map(moment, opened.execute(RUNS).fetchone())
        tasks = {name: moment(b) - moment(a) for name, a, b in opened.execute(TASKS)}
    own = {name: float(seconds) for name, seconds in DONE.findall(said)}
    around = sum(seconds - own[name] for name, seconds in tasks.items() if name in own)
    return {
        "wall": wall,
        "cpu": cpu,
        "until the flow begins": start - began,
        "stages": sum(own.values()),
        "around each stage": around,
        "before and between stages": end - start - sum(tasks.values()),
        "MLflow": tasks["publish"],
        "artifacts": tasks["artifacts"],
        "end": began + wall - end,
    }


def medians(rows: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(row[key] for row in rows) for key in rows[0]}


def show(plain: dict[str, float], tools: dict[str, float], of: float) -> float:
    """The table; the seconds that the tools add."""
    added = tools["wall"] - plain["wall"]
    print(f"{'':<28}{'seconds':>9}{'% of the whole':>16}")
    for name in [key for key in tools if key not in ("wall", "cpu")]:
        print(
            f"{name:<28}{tools[name]:>9.1f}{100 * tools[name] / tools['wall']:>15.1f}%"
        )
    print(f"{'assay run':<28}{tools['wall']:>9.1f}")
    print(f"{'the stages alone':<28}{plain['wall']:>9.1f}")
    print(f"{'added':<28}{added:>9.1f}{100 * added / (of or tools['wall']):>15.1f}%")
    print(f"CPU seconds: {tools['cpu']:.1f} with the tools, {plain['cpu']:.1f} without")
    return added


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--of", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--repeats", type=int, default=1)
    asked = parser.parse_args()
    plain, tools = [], []
    with tempfile.TemporaryDirectory(prefix="overhead_") as folder:
        for repeat in range(asked.repeats):  # in turn: a busy machine is so for both
            plain.append(direct(Path(folder) / f"direct{repeat}"))
            tools.append(with_tools(Path(folder) / f"tools{repeat}"))
    added = show(medians(plain), medians(tools), asked.of)
    share = added / (asked.of or medians(tools)["wall"])
    found = {
        "direct": medians(plain),
        "assay_run": medians(tools),
        "added_seconds": round(added, 1),
        "added_share": round(share, 3),
        "of_seconds": asked.of or None,
        "load": os.getloadavg()[1],
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
    }
    print(json.dumps(found))
    return int(share >= LIMIT_SHARE and added >= LIMIT_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
