"""Memory and time of `assay curate` as the input grows: python benchmarks/curate_memory.py [GB ...]
[--workers N] [--folder DIR].

The input is made here from real documents (the demo's wheels): each is taken again and again with
30 % of its words replaced by other words of its own; one in ten is a near copy (1 % replaced) and
one in twenty an exact copy of an earlier one. Each size is a run of the command line in its own
process; the resident memory of its whole process tree is read five times a second. Needs a disk of
about three times the largest size; what it writes is deleted.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from stages.curation.sample_data.wheels import read_pool

ROOT = Path(__file__).resolve().parent.parent
POOLS = ("news", "wiki", "apidocs", "speech_en", "tweets")
FILE_BYTES = 200_000_000


def real_documents(cache: Path) -> list[list[str]]:
    """The words of real documents, cut at single spaces so that lines stay."""
    texts = [
        text for name in POOLS for text in read_pool(name, cache)["text"].to_list()
    ]
    return [text[:200_000].split(" ") for text in texts if len(text) >= 400]


def write_input(folder: Path, n_bytes: int, words: list[list[str]]) -> None:
    """JSON lines of about `n_bytes`, the same for the same size."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    tokens = [np.array(document, dtype=object) for document in words]
    recent, written, number = [], 0, 0
    while written < n_bytes:
        size = 0
        with open(folder / f"part-{number:04d}.jsonl", "w", encoding="utf-8") as file:
            while size < FILE_BYTES and written + size < n_bytes:
                text = perturbed(tokens, recent, rng)
                size += file.write(
                    json.dumps({"text": text}, ensure_ascii=False) + "\n"
                )
        written, number = written + size, number + 1


def perturbed(
    tokens: list[np.ndarray], recent: list[np.ndarray], rng: np.random.Generator
) -> str:
    """The next document: a new one, a near copy or a copy of one of the last thousand."""
    kind = rng.random()
    if recent and kind < 0.15:
        document = recent[rng.integers(len(recent))]
        return " ".join(document if kind < 0.05 else replaced(document, 0.01, rng))
    document = replaced(tokens[rng.integers(len(tokens))], 0.3, rng)
    recent.append(document)
    del recent[:-1000]
    return " ".join(document)


def replaced(
    document: np.ndarray, share: float, rng: np.random.Generator
) -> np.ndarray:
    place = np.arange(len(document))
    chosen = rng.random(len(document)) < share
    place[chosen] = rng.integers(0, len(document), int(chosen.sum()))
    return document[place]


def run(folder: Path, out: Path, workers: int) -> dict:
    """One run of `assay curate`: what it cost and its counts."""
    with open(out.with_suffix(".json"), "w") as file:
        cost = measured(
            [
                "flows.cli",
                "curate",
                str(folder),
                "--out",
                str(out),
                "--workers",
                str(workers),
                "--json",
            ],
            folder.parent,
            stdout=file,
        )
    manifest = json.loads(out.with_suffix(".json").read_text())
    return cost | {name: manifest["counts"][name] for name in ("documents", "kept")}


def measured(module: list[str], folder: Path, **streams) -> dict:
    """CPU seconds, wall seconds and the largest memory of the process tree of `python -m MODULE...` in a folder."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "POLARS_MAX_THREADS": "1",
    }
    before, start, peak = (
        resource.getrusage(resource.RUSAGE_CHILDREN),
        time.monotonic(),
        0,
    )
    process = subprocess.Popen(
        [sys.executable, "-m", *module], env=environment, cwd=folder, **streams
    )
    while process.poll() is None:
        peak = max(peak, tree_bytes(process.pid))
        time.sleep(0.2)
    if process.returncode:
        sys.exit(f"{' '.join(module)} ended with code {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu_s": cpu, "wall_s": time.monotonic() - start, "peak_mb": peak / 1e6}


def tree_bytes(pid: int) -> int:
    """Resident bytes of a process and its descendants; shared pages count for each."""
    try:
        process = psutil.Process(pid)
        return sum(
            member.memory_info().rss
            for member in [process, *process.children(recursive=True)]
        )
    except psutil.NoSuchProcess:
        return 0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("gigabytes", nargs="*", type=float, default=[0.3, 1.0])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--folder",
        type=Path,
        default=None,
        help="where the input is made; default a temporary folder",
    )
    parser.add_argument("--cache", type=Path, default=ROOT / "data/cache/wheels")
    arguments = parser.parse_args()
    words = real_documents(arguments.cache)
    print(
        f"{len(words)} real documents, {sum(len(' '.join(w)) for w in words) / 1e6:.1f}"
        f" MB; {arguments.workers} workers"
    )
    print(
        f"{'GB':>6} {'documents':>10} {'kept':>9} {'CPU s':>8} {'wall s':>8}"
        f" {'MB/CPU-s':>9} {'peak MB':>8}"
    )
    rows = []
    for gigabytes in arguments.gigabytes:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            write_input(Path(folder) / "input", int(gigabytes * 1e9), words)
            row = {"gb": gigabytes} | run(
                Path(folder) / "input", Path(folder) / "out", arguments.workers
            )
            shutil.rmtree(Path(folder) / "out")
        rows.append(row | {"mb_per_cpu_s": gigabytes * 1e3 / row["cpu_s"]})
        print(
            f"{gigabytes:6.2f} {row['documents']:10,} {row['kept']:9,}"
            f" {row['cpu_s']:8.1f} {row['wall_s']:8.1f} {rows[-1]['mb_per_cpu_s']:9.2f}"
            f" {row['peak_mb']:8.0f}",
            flush=True,
        )
    growth = {}
    if len(rows) > 1:
        first, last = rows[-2], rows[-1]
        growth = {
            "time_exponent": (
                np.log(last["cpu_s"] / first["cpu_s"])
                / np.log(last["gb"] / first["gb"])
            ),
            "memory_ratio": last["peak_mb"] / first["peak_mb"],
        }
        print(
            f"from {first['gb']} to {last['gb']} GB: CPU time grows as"
            f" size^{growth['time_exponent']:.3f}, memory by a factor of"
            f" {growth['memory_ratio']:.3f}"
        )
    machine = {
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    print(
        json.dumps(
            {"rows": rows, **growth, "workers": arguments.workers, "machine": machine}
        )
    )


if __name__ == "__main__":
    main()
