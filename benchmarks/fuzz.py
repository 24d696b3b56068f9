"""Whether any input ends in a traceback: python benchmarks/fuzz.py [--count 4500] [--seed 0]
[--kind params|documents|tables] [--folder DIR].

Each case is made from its seed and read by a command of ours in a fork of this process. It must end with exit
code 0, 1 or 2 within its time; on an error one line of at most 300 characters and nothing half-written; never
above 2 GB of memory. Prints every case that does not, with the seed that makes it again (`--seed S --count 1
--kind K`), and how long it all took. The long run takes 20 minutes on two cores (assumed).
"""

import argparse
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import fuzz_cases
import matplotlib.figure  # heavy and unused, for the forks
import polars
import pyarrow.parquet
import scipy.optimize
import sklearn.linear_model

from flows import cli
from flows.commands import compare, curate, mix, theory
from stages import __main__ as stages_main

WARM = (matplotlib.figure, polars, pyarrow.parquet, scipy.optimize, sklearn)
COMMANDS = (compare, curate, mix, theory)
MOST_CHARS, MOST_BYTES, SECONDS = 300, 2_000_000_000, 120


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=4500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=fuzz_cases.CASES)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    kinds = [options.kind] if options.kind else list(fuzz_cases.CASES)
    start, failed, codes = time.monotonic(), 0, {}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for at in range(options.count):
            kind, seed = kinds[at % len(kinds)], options.seed + at
            code, faults = one_case(kind, seed, Path(folder) / f"{kind}-{seed}")
            codes[code] = codes.get(code, 0) + 1
            failed += bool(faults)
            for fault in faults:
                print(f"{kind} {seed}: {fault}", flush=True)
    seconds = time.monotonic() - start
    print(
        f"{options.count} cases, exit codes {codes}, {failed} failed, {seconds:.0f} s"
    )
    return 1 if failed else 0


def one_case(kind: str, seed: int, folder: Path) -> tuple[int, list[str]]:
    """(exit code, what was wrong) of one case; its folder is removed."""
    folder.mkdir()
    child = os.fork()
    if child == 0:
        _run(kind, seed, folder)
    _, status, usage = os.wait4(child, 0)
    code = os.waitstatus_to_exitcode(status)
    faults = _faults(folder, code)
    if usage.ru_maxrss * 1024 > MOST_BYTES:
        faults.append(f"took {usage.ru_maxrss / 1e6:.2f} GB")
    if faults:
        command = (folder / "command").read_text("utf-8", "replace")
        faults[0] = f"{command[:200]}: {faults[0]}"
    shutil.rmtree(folder)
    return code, faults


def _run(kind: str, seed: int, folder: Path) -> None:
    """In the fork: make the case, then be the command; never returns."""
    signal.alarm(SECONDS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    code = 99
    try:
        os.chdir(folder)
        command = fuzz_cases.CASES[kind](random.Random(f"{kind}-{seed}"), folder)
        (folder / "command").write_text(" ".join(command), "utf-8", "replace")
        with open("stdout", "wb") as out, open("stderr", "wb") as err:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
        os.environ["TMPDIR"] = str(folder)
        tempfile.tempdir = None
        if command[0] == "stages":
            sys.exit(stages_main.main(command[1:]))
        sys.argv = ["assay", *command]
        cli.main()
        code = 0
    except SystemExit as stop:
        code = (
            stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 99
        )
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _faults(folder: Path, code: int) -> list[str]:
    """What a person would complain about."""
    said = (folder / "stderr").read_text("utf-8", "replace")
    lines = said.splitlines()
    faults = [] if code in (0, 1, 2) else [f"exit code {code}: {said[-500:]}"]
    faults += [f"traceback: {said[-800:]}"] if "Traceback" in said else []
    faults += [line for line in lines if "this is not foreseen" in line]
    faults += [f"panic: {line}" for line in lines if "panicked at" in line]
    if code in (1, 2):
        told = [line for line in lines if line.startswith(("assay: ", "ingest: "))]
        faults += [] if told else [f"no line says why: {said[-300:]}"]
        if told and len(told[-1]) > MOST_CHARS:
            faults.append(f"{len(told[-1])} characters: {told[-1][:400]}")
    faults += [f"left {path}" for path in folder.rglob("*.tmp")]
    if code and (folder / "out/manifest.json").exists():
        faults.append("a manifest in spite of the error")
    if code and (folder / "data/ingest").exists():
        faults.append("pools in spite of the error")
    return faults


if __name__ == "__main__":
    sys.exit(main())
