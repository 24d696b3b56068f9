"""Our document rules and duplicates beside datatrove, dolma, datasketch and rensa: MB a CPU-second,
and who decides alike.

python benchmarks/curation_peers.py [FOLDER] [--wheels DIR] [--quick] FOLDER (default
data/cache/curation_peers) keeps the peers' environments, made with uv or pip where they are
missing, and the inputs. DIR holds the demo's wheels (default data/cache/wheels; fetched if
missing). --quick leaves out the slow peers' speed. Prints tables and, as its last line, one JSON
object.

One process and one thread each; CPU seconds of the whole process tree, start-up and reading
included. Before it is timed every tool runs once on ten documents, so that no figure holds the
writing of bytecode or of compiled code. MB are of UTF-8 text. The slow tools get 5 or 6 MB, and
ours the same texts too, where start-up is most of our time; what scales to 70 or 280 MB gets that.
Near duplicates are counted on 8,000 templated descriptions. Peers run as their documentation shows:
datatrove reads jsonl, dolma gzipped jsonl, ours zstd parquet.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl
from curation_agreement import agreement
from laws_speed import machine
from peers import texts

HERE = Path(__file__).resolve().parent
PEERS = {
    "pipelines": [
        "datatrove[processing]==0.10.1",
        "spacy",
        "orjson",
        "datasketch==2.0.0",
        "rensa==0.5.0",
    ],
    "dolma": ["dolma==1.2.1"],
}
QUICK_CPU_S = 8
ONE_THREAD = dict.fromkeys(
    [
        "OMP_NUM_THREADS",
        "POLARS_MAX_THREADS",
        "RAYON_NUM_THREADS",
        "TOKENIZERS_PARALLELISM",
    ],
    "1",
)
Run = dict[str, float | str]


def environment(folder: Path, name: str) -> Path:
    """The interpreter of a peers' environment, made if it is missing."""
    python = folder / name / "bin/python"
    if not python.exists():
        uv = shutil.which("uv")
        make = (
            [uv, "venv", "--quiet", "--python", sys.executable]
            if uv
            else [sys.executable, "-m", "venv"]
        )
        subprocess.run([*make, str(folder / name)], check=True)
        install = (
            [uv, "pip", "install", "--quiet", "--python", str(python)]
            if uv
            else [str(python), "-m", "pip", "install", "--quiet"]
        )
        subprocess.run([*install, *PEERS[name]], check=True)
    return python


def timed(command: list) -> dict:
    """CPU and wall seconds of a command with all its children, and the object that its last line holds, if any."""
    settings = {
        **os.environ,
        **ONE_THREAD,
        "PYTHONPATH": f"{HERE.parent}",
        "PYTHONDONTWRITEBYTECODE": "",
    }
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [str(part) for part in command],
        env=settings,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    after, wall = (
        resource.getrusage(resource.RUSAGE_CHILDREN),
        time.perf_counter() - start,
    )
    if done.returncode:
        raise SystemExit(
            f"{command[0]} failed: {done.stderr.strip().splitlines()[-1:]}"
        )
    last = done.stdout.strip().splitlines()[-1:] or [""]
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "cpu": cpu,
        "wall": wall,
        **(json.loads(last[0]) if last[0].startswith("{") else {}),
    }


def best_of(command: list, written: tuple[Path, ...]) -> dict:
    """The least CPU of three runs where one takes under QUICK_CPU_S, for other work on the machine
    adds to short ones most; `cpu_runs` holds them all.
    """
    run, every = {}, []
    for _ in range(3):
        for folder in written:  # else dolma finds its work done
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)
        now = timed(command)
        every.append(now["cpu"])
        run = min(filter(None, (run, now)), key=lambda each: each["cpu"])
        if run["cpu"] > QUICK_CPU_S:
            break
    return run | {"cpu_runs": every}


def commands(pipelines: Path, dolma: Path) -> dict:
    """For each tool and job a function of (input folder, output folder) that gives its command."""
    peers = HERE / "peers"
    bloom = [
        "--bloom_filter.file",
        "BLOOM",
        "--no-bloom_filter.read_only",
        "--bloom_filter.estimated_doc_count",
        "200000",
    ]
    bloom += ["--bloom_filter.desired_false_positive_rate", "1e-7", "--processes", "1"]

    def dedupe(i: Path, o: Path) -> list:
        keys = [
            "--dedupe.name",
            "dups",
            "--dedupe.documents.key",
            "$.text",
            "--dedupe.documents.attribute_name",
            "dup",
        ]
        return [
            dolma.parent / "dolma",
            "dedupe",
            "--documents",
            f"{i}/dolma/documents/*.gz",
            *keys,
            *(str(o / "bloom") if p == "BLOOM" else p for p in bloom),
        ]

    return {
        ("rules", "assay"): lambda i, o: [
            sys.executable,
            peers / "ours.py",
            "rules",
            i,
        ],
        ("rules", "datatrove"): lambda i, o: [
            pipelines,
            peers / "datatrove_run.py",
            "filters",
            i / "jsonl",
            o,
        ],
        ("rules", "dolma"): lambda i, o: [
            dolma.parent / "dolma",
            "tag",
            "--documents",
            f"{i}/dolma/documents/*.gz",
            "--taggers",
            "gopher_v2",
            "c4_v2",
            "--processes",
            "1",
        ],
        ("minhash", "assay"): lambda i, o: [
            sys.executable,
            peers / "ours.py",
            "minhash",
            i,
        ],
        ("minhash", "datatrove"): lambda i, o: [
            pipelines,
            peers / "datatrove_run.py",
            "minhash",
            i / "jsonl",
            o,
        ],
        ("minhash", "datasketch"): lambda i, o: [
            pipelines,
            peers / "minhash_libraries.py",
            "datasketch",
            i / "jsonl/all.jsonl",
        ],
        ("minhash", "rensa"): lambda i, o: [
            pipelines,
            peers / "minhash_libraries.py",
            "rensa",
            i / "jsonl/all.jsonl",
        ],
        ("exact", "assay"): lambda i, o: [
            sys.executable,
            peers / "ours.py",
            "exact",
            i,
        ],
        ("exact", "dolma"): dedupe,
    }


SIZES = {
    "small": [("rules", "datatrove"), ("rules", "dolma"), ("rules", "assay")],
    "near": [
        ("minhash", "datatrove"),
        ("minhash", "datasketch"),
        ("minhash", "rensa"),
        ("minhash", "assay"),
    ],
    "middle": [
        ("minhash", "rensa"),
        ("exact", "dolma"),
        ("rules", "assay"),
        ("minhash", "assay"),
        ("exact", "assay"),
    ],
    "large": [("rules", "assay"), ("minhash", "assay"), ("exact", "assay")],
}
SLOW = {
    ("small", "rules", "datatrove"),
    ("small", "rules", "dolma"),
    ("near", "minhash", "datatrove"),
}


def speeds(inputs: dict, recipes: dict, quick: bool) -> list[Run]:
    """One row a tool, job and input."""
    rows = []
    for job in recipes:
        timed(recipes[job](inputs["tiny"]["folder"], Path(tempfile.mkdtemp())))
    for size, jobs in SIZES.items():
        for what, tool in jobs:
            if quick and (size, what, tool) in SLOW:
                continue
            with tempfile.TemporaryDirectory() as out:
                written = (Path(out), inputs[size]["folder"] / "dolma/attributes")
                run = best_of(
                    recipes[what, tool](inputs[size]["folder"], Path(out)), written
                )
            mb = inputs[size]["mb"]
            dropped = (
                inputs[size]["documents"] - run["kept"]
                if "kept" in run
                else (
                    dolma_duplicates(inputs[size]["folder"])
                    if what == "exact"
                    else None
                )
            )
            rows.append(
                {
                    "what": what,
                    "tool": tool,
                    "input": size,
                    "mb": mb,
                    "cpu_s": run["cpu"],
                    "cpu_runs": run["cpu_runs"],
                    "wall_s": run["wall"],
                    "mb_per_cpu_s": mb / run["cpu"],
                    "dropped": dropped,
                }
            )
            worst = mb / max(run["cpu_runs"])
            speed = (
                f"{rows[-1]['mb_per_cpu_s']:8.2f} MB/CPU-s (slowest run {worst:.2f})"
            )
            print(
                f"{what:8} {tool:10} {size:6} {mb:7.1f} MB {run['cpu']:7.2f} CPU-s"
                f" {speed}  dropped {dropped}",
                flush=True,
            )
    return rows


def dolma_duplicates(folder: Path) -> int:
    """Documents that dolma's bloom filter had seen."""
    (file,) = (folder / "dolma/attributes/dups").glob("*.gz")
    table = pl.read_ndjson(
        file,
        schema={
            "id": pl.String,
            "attributes": pl.Struct({"dup": pl.List(pl.List(pl.Float64))}),
        },
    )
    return int(
        table.select(
            (pl.col("attributes").struct.field("dup").list.len() > 0).sum()
        ).item()
    )


def ratios(rows: list[Run]) -> dict[str, float]:
    """Our speed over each peer's: on the largest input that each ran, and on the same input."""
    best, same = {}, {}
    for row in rows:
        best[row["what"], row["tool"]] = row["mb_per_cpu_s"]  # sizes rise
        same[row["what"], row["tool"], row["input"]] = row["mb_per_cpu_s"]
    found = {
        f"{what}: assay / {tool}": best[what, "assay"] / speed
        for (what, tool), speed in best.items()
        if tool != "assay"
    }
    alike = {
        (what, tool, size): speed
        for (what, tool, size), speed in same.items()
        if tool != "assay" and (what, "assay", size) in same
    }
    return found | {
        f"{what}: assay / {tool}, same {size} input": same[what, "assay", size] / speed
        for (what, tool, size), speed in alike.items()
    }


def two_workers(inputs: dict, recipes: dict) -> dict:
    """Wall and CPU seconds of one and two workers. Walls say nothing on a machine with other work,
    so the load is given; `at_most` is the speed-up that the CPU seconds would allow on two idle
    cores.
    """
    load = os.getloadavg()[0]
    runs = {
        n: timed([*recipes["rules", "assay"](inputs["large"]["folder"], None), n])
        for n in (1, 2)
    }
    walls, cpus = (
        {f"{what}_{n}_s": runs[n][what] for n in runs} for what in ("wall", "cpu")
    )
    return {
        "load_before": load,
        **walls,
        **cpus,
        "speed_up": runs[1]["wall"] / runs[2]["wall"],
        "at_most": 2 * runs[1]["cpu"] / runs[2]["cpu"],
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path("data/cache/curation_peers")
    )
    parser.add_argument("--wheels", default="data/cache/wheels")
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    folder = asked.folder.resolve()
    pipelines, dolma = environment(folder, "pipelines"), environment(folder, "dolma")
    every, mixed = (
        texts.all_documents(asked.wheels),
        texts.mixed_documents(asked.wheels),
    )
    inputs = {
        "tiny": texts.write(folder / "tiny", mixed[:10]),
        "small": texts.write(folder / "small", mixed),
        "near": texts.write(folder / "near", texts.near_documents(asked.wheels)),
        "middle": texts.write(folder / "middle", every),
        "large": texts.write(folder / "large", every, copies=4),
    }
    alike = agreement(mixed, folder, pipelines)
    recipes = commands(pipelines, dolma)
    rows = speeds(inputs, recipes, asked.quick)
    found = {
        "agreement": alike,
        "runs": rows,
        "ratios": ratios(rows),
        "two_workers": two_workers(inputs, recipes),
        "machine": machine(),
    }
    for name, ratio in found["ratios"].items():
        print(f"{name:48} {ratio:7.1f} times")
    print(
        f"two workers: {found['two_workers']['speed_up']:.2f} times one, at most"
        f" {found['two_workers']['at_most']:.2f} (load before:"
        f" {found['two_workers']['load_before']:.1f})"
    )
    print(json.dumps(found))


if __name__ == "__main__":
    main()
