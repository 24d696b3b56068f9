"""All that only a card can show, in at most eight minutes on a bare GPU machine.

On a machine where the demo's data stages have run: python benchmarks/gpu_check.py --gather FOLDER
On the GPU machine (torch, numpy, pyarrow, polars, pydantic, pytest; nothing else):
python benchmarks/gpu_check.py --project FOLDER [--peer NANOGPT_FOLDER] [--parts tests,sweep,...] [--keep FOLDER]

Parts, each a process with a time limit of its own, so that one that fails or hangs stops no other:
tests     the tests marked gpu
sweep     the demo's sweep from its pack and arms, cold: seconds to the first steps, and in all
resumed   the same sweep killed half-way and run again: finished runs stay, all losses are the same
float32   the same sweep in float32: its best arms beside those in bfloat16
cases     64 x 1M, 64 x 10M and 124M beside the plain loop and nanoGPT; planned and seen memory
profile   where a step of 64 x 10M goes, by kernel
and, beyond the eight minutes, only where --parts names it, as in --parts sweep,shared:
shared    the same sweep with two groups on the card at once: its seconds beside those alone, same losses

Prints as it goes, then one table (figure, seen, asked, whether it holds) and, as its last line, one
JSON object. Exit code 1 where a figure misses what is asked. --toy runs it at tiny size on CPU,
which tests the script and says nothing about a card.
"""

import argparse
import importlib.util
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NEEDED = ("data/pack", "data/arms")
SECTION = "sweep.json"
LIMITS_S = {
    "tests": 100,
    "sweep": 50,
    "resumed": 60,
    "float32": 50,
    "cases": 170,
    "profile": 50,
}
NAMED_S = {"shared": 50}  # parts that run only where they are named
PROGRESS = re.compile(
    r"sweep: (\d+) %"
)  # a line of the sweep's log, the first at its first steps
KILLED_PERCENT = 20
PARTS_OF = {
    "first": "sweep",
    "second": "resumed",
    "float32": "float32",
    "shared": "shared",
}

SWEEP = """
import json, logging, sys
logging.getLogger("assay").addHandler(logging.StreamHandler())
logging.getLogger("assay").setLevel(logging.INFO)
from stages import sweep
from stages.settings.sweep import SweepParams
from stages.proxy.training import train
if len(sys.argv) > 2:
    choose = train.choose_device
    train.choose_device = lambda device, _: choose(device, sys.argv[2])
sweep.run(SweepParams.model_validate(json.load(open("sweep.json")) | {"device": sys.argv[1]}))
"""
PROFILE = """
import sys
sys.path[:0] = ["benchmarks", "."]
import proxy_gpu, torch
from torch.profiler import ProfilerActivity, profile
toy = sys.argv[1] == "cpu"
device, dtype, _ = proxy_gpu.choose_device(sys.argv[1])
case = proxy_gpu.cases(toy, 64)[0 if toy else 1]
step = proxy_gpu.stacked(case, case.n_runs, device, dtype)
for _ in range(8):
    step()
kind = ProfilerActivity.CPU if toy else ProfilerActivity.CUDA
with profile(activities=[kind]) as seen:
    step()
    if not toy:
        torch.cuda.synchronize()
by = "self_cpu_time_total" if toy else "self_device_time_total"
rows = [(getattr(e, by) / 1e3, e.count, e.key) for e in seen.key_averages()]
for ms, count, name in sorted(rows, reverse=True)[:24]:
    print(f"{ms:8.3f} ms {count:5d} x  {name[:110]}")
print(f"{sum(row[0] for row in rows):8.3f} ms all")
"""


@dataclass(frozen=True)
class Figure:
    """One line of the table; `holds` is None where nothing is asked."""

    part: str
    name: str
    seen: Any
    asked: str = ""
    holds: bool | None = None


@dataclass
class Child:
    """A process that is printed as it goes, killed at its limit; `lines` are (seconds since its start, text)."""

    command: list[str]
    limit_s: float
    folder: Path = ROOT
    variables: dict[str, str] = field(default_factory=dict)
    lines: list[tuple[float, str]] = field(default_factory=list)
    code: int | None = None
    seconds: float = 0.0

    def run(self, until: Callable[[str], bool] = lambda line: False) -> "Child":
        """Run it to its end, to its limit, or kill it at the first line that `until` names."""
        started = time.monotonic()
        with subprocess.Popen(
            self.command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env=os.environ
            | {"PYTHONPATH": _paths(), "PYTHONUNBUFFERED": "1"}
            | self.variables,
            start_new_session=True,
        ) as process:
            watchdog = threading.Timer(self.limit_s, _kill, [process])
            watchdog.start()
            assert process.stdout
            for line in process.stdout:
                self.lines.append((time.monotonic() - started, line.rstrip()))
                print(
                    f"  {self.lines[-1][0]:6.1f} s  {line.rstrip()[:150]}", flush=True
                )
                if until(line):
                    _kill(process)
            self.code = process.wait()
            watchdog.cancel()
        self.seconds = time.monotonic() - started
        return self

    def at(self, pattern: re.Pattern) -> float | None:
        """Seconds at which the first line was like this."""
        return next((s for s, line in self.lines if pattern.match(line)), None)

    @property
    def ending(self) -> str:
        return (
            f"{self.seconds:.0f} s"
            if self.code == 0
            else f"exit code {self.code} after {self.seconds:.0f} s"
        )


def _paths() -> str:
    """This repository before what the user names: packages can lie there."""
    return os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))


def _kill(process: subprocess.Popen) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


@dataclass(frozen=True)
class Check:
    """What the parts are given."""

    project: Path
    work: Path
    device: str
    peer: Path | None

    def tests(self) -> Iterator[Figure]:
        mark = "not gpu" if self.device == "cpu" else "gpu"
        files = (
            ["tests/stages/proxy/network/test_graphs.py"]
            if self.device == "cpu"
            else ["tests/stages/proxy"]
        )
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--tb=short",
            "-m",
            mark,
            *files,
        ]
        if importlib.util.find_spec("xdist"):  # what they compile keeps one core busy
            command += ["-n", "6"]
        command += ["-p", "no:cacheprovider", "-p", "no:benchmark"]
        command += ["--show-capture=stdout"]
        command += ["--confcutdir", "tests/stages/proxy"]
        done = Child(command, LIMITS_S["tests"]).run()
        yield Figure(
            "tests", f"tests marked {mark}", done.ending, "pass", not done.code
        )

    def sweep(self) -> Iterator[Figure]:
        done = Child(*self._sweep("first")).run()
        first = done.at(PROGRESS)
        yield Figure(
            "sweep",
            "seconds to the first steps, cold",
            _rounded(first),
            "<= 20",
            first is not None and first <= 20,
        )
        yield Figure(
            "sweep",
            "seconds in all, cold",
            done.ending,
            "<= 60",
            done.code == 0 and done.seconds <= 60,
        )

    def resumed(self) -> Iterator[Figure]:
        """Killed at the first line past a fifth of the work."""
        command, limit, folder = self._sweep("second")
        Child(command, limit / 2, folder).run(until=_far_enough)
        kept = {file: file.read_bytes() for file in _run_files(folder)}
        done = Child(command, limit / 2, folder).run()
        stayed = all(file.read_bytes() == content for file, content in kept.items())
        yield Figure("resumed", "ends", done.ending, "exit code 0", done.code == 0)
        yield Figure(
            "resumed", "runs finished before the kill stay", len(kept), "", stayed
        )
        yield self._same_losses("resumed", folder)

    def shared(self) -> Iterator[Figure]:
        """Not said to be faster: kernels of two processes take turns."""
        command, limit, folder = self._sweep("shared")
        two = {"ASSAY_GROUPS_PER_CARD": "2"}
        done = Child(command, limit, folder, two).run()
        yield Figure(
            "shared",
            "two groups a card, ends",
            done.ending,
            "exit code 0",
            not done.code,
        )
        yield self._same_losses("shared", folder)

    def _same_losses(self, part: str, folder: Path) -> Figure:
        """Of a sweep beside those of the part `sweep`."""
        whole = {file.name: _losses(file) for file in _run_files(self.work / "first")}
        again = {file.name: _losses(file) for file in _run_files(folder)}
        alike = sum(whole[name] == again.get(name) for name in whole)
        return Figure(
            part,
            "runs with the same losses to the bit",
            f"{alike} of {len(whole)}",
            "all",
            bool(whole) and alike == len(whole),
        )

    def float32(self) -> Iterator[Figure]:
        command, limit, folder = self._sweep("float32")
        done = Child([*command, "float32"], limit, folder).run()
        yield Figure("float32", "ends", done.ending, "exit code 0", done.code == 0)
        if done.code == 0:
            apart = _apart(self.work / "first", folder)
            yield Figure(
                "float32", "losses, largest relative difference", f"{apart:.1e}"
            )

    def cases(self) -> Iterator[Figure]:
        command = [sys.executable, "benchmarks/proxy_gpu.py", "--quick"]
        command += ["--seconds", "2"]
        command += ["--toy"] if self.device == "cpu" else []
        command += ["--peer", str(self.peer)] if self.peer else []
        done = Child(command, LIMITS_S["cases"]).run()
        yield Figure("cases", "ends", done.ending, "exit code 0", done.code == 0)
        if done.code == 0:
            yield from _case_figures(json.loads(done.lines[-1][1])["cases"])

    def profile(self) -> Iterator[Figure]:
        command = [sys.executable, "-c", PROFILE, self.device]
        done = Child(command, LIMITS_S["profile"]).run()
        yield Figure("profile", "by kernel, above", done.ending, "", done.code == 0)

    def _sweep(self, name: str) -> tuple[list[str], float, Path]:
        folder = self.work / name
        if not folder.exists():
            shutil.copytree(self.project, folder)
        command = [sys.executable, "-c", SWEEP, self.device]
        return command, (LIMITS_S | NAMED_S)[PARTS_OF[name]], folder


def _apart(one: Path, other: Path) -> float:
    """The largest relative difference of a held-out loss between two sweeps of the same runs."""
    most = 0.0
    for file in _run_files(one):
        for a, b in zip(
            _losses(file), _losses(other / file.relative_to(one)), strict=True
        ):
            for domain, found in a.items():
                gap = abs(found["loss_nats"] / b[domain]["loss_nats"] - 1)
                most = max(most, gap)
    return most


def _case_figures(found: dict[str, Any]) -> Iterator[Figure]:
    for name, case in found.items():
        ours = next(
            row for way, row in case["ways"].items() if way.endswith(" at once")
        )
        plain = case["ways"]["plain loop, one at a time"]
        goal = 0.30 if case["times"] and "10M" in name else case["goal_mfu"]
        goal = 0.16 if "x 1M" in name else goal
        mfu, times = ours["mfu"], ours["tokens_per_second"] / plain["tokens_per_second"]
        yield Figure(
            "cases", f"{name}: MFU", f"{mfu:.1%}", f">= {goal:.0%}", mfu >= goal
        )
        least = 3.5 if "10M" in name else None
        yield Figure(
            "cases",
            f"{name}: times the plain loop",
            f"{times:.2f}",
            f">= {least}" if least else "",
            times >= least if least else None,
        )
        if peer := case["ways"].get("nanoGPT"):
            ratio = ours["tokens_per_second"] / peer["tokens_per_second"]
            yield Figure(
                "cases", f"{name}: times nanoGPT", f"{ratio:.2f}", "> 1", ratio > 1
            )
        if ours["peak_bytes"]:
            planned = case["planned_bytes"] / ours["peak_bytes"]
            yield Figure(
                "cases",
                f"{name}: planned over seen memory",
                f"{planned:.2f}",
                "0.9 to 1.1",
                abs(planned - 1) <= 0.1,
            )


def _far_enough(line: str) -> bool:
    found = PROGRESS.match(line)
    return bool(found) and int(found[1]) >= KILLED_PERCENT


def _run_files(folder: Path) -> list[Path]:
    """Of finished trunks; beside them lies the file of expected rates."""
    files = (folder / "data/sweep/runs").glob("*.json")
    return sorted(file for file in files if "trunk_id" in json.loads(file.read_text()))


def _losses(file: Path) -> list[Any]:
    budgets = json.loads(file.read_text("utf-8"))["result"]["budgets"]
    return [budget["held_out"] for budget in budgets]


def _rounded(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f}"


def gather(folder: Path) -> None:
    """What the GPU machine needs of a project whose data stages have run here."""
    import yaml

    for name in NEEDED:
        shutil.copytree(name, folder / name, dirs_exist_ok=True)
    section = yaml.safe_load(Path("params.yaml").read_text("utf-8"))["sweep"]
    (folder / SECTION).write_text(json.dumps(section), "utf-8")
    print(f"{folder}: {', '.join(NEEDED)} and {SECTION}")


def table(figures: list[Figure]) -> str:
    word = {True: "holds", False: "MISSES", None: ""}
    return "\n".join(
        f"{f.part:9s}{f.name:44s}{f.seen!s:>24s}  {f.asked:14s}{word[f.holds]}"
        for f in figures
    )


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gather", type=Path, help="write what the GPU machine needs")
    parser.add_argument("--project", type=Path, help="a folder made by --gather")
    parser.add_argument("--peer", type=Path, help="a checkout of nanoGPT")
    parser.add_argument("--parts", default=",".join(LIMITS_S))
    parser.add_argument("--keep", type=Path, help="where the runs of the sweeps go")
    parser.add_argument("--toy", action="store_true", help="on CPU: tests the script")
    asked = parser.parse_args(argv)
    if asked.gather:
        gather(asked.gather)
        return 0
    if not asked.project or not (asked.project / SECTION).is_file():
        sys.exit(f"{asked.project}: no folder made by --gather; give --project FOLDER")
    limits = LIMITS_S | NAMED_S
    if unknown := set(asked.parts.split(",")) - set(limits):
        sys.exit(f"{', '.join(unknown)}: no part; there are {', '.join(limits)}")
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as work:
        check = Check(
            asked.project,
            Path(work),
            device="cpu" if asked.toy else "cuda",
            peer=asked.peer,
        )
        for part in asked.parts.split(","):
            print(f"\n{part}, at most {limits[part]} s", flush=True)
            try:
                figures.extend(getattr(check, part)())
            except Exception as error:
                line = f"{type(error).__name__}: {error}".splitlines()[0][:80]
                figures.append(Figure(part, "failed", line, "", False))
        for name in PARTS_OF if asked.keep else ():
            if (runs := Path(work) / name / "data/sweep").is_dir():
                shutil.copytree(runs, asked.keep / name, dirs_exist_ok=True)
    print(f"\n{table(figures)}")
    print(json.dumps({"figures": [vars(f) for f in figures], "machine": _machine()}))
    return int(any(figure.holds is False for figure in figures))


def _machine() -> dict[str, str]:
    import torch

    on_card = torch.cuda.is_available()
    return {
        "device": torch.cuda.get_device_name() if on_card else platform.machine(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    sys.exit(main())
