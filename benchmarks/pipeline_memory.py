"""Memory and time of the pipeline's data stages as a pool grows: python
benchmarks/pipeline_memory.py [GB ...] [--stages ingest score] [--folder DIR].

The pool is that of curate_memory.py (real documents, perturbed, with copies), as JSON lines: 2 % of
its documents are held out, 10 % are reference text. Each stage is a process of its own, as `dvc
repro` runs it; its resident memory is read five times a second. Needs a disk of about three times
the largest size; what it writes is deleted.
"""

import argparse
import json
import os
import platform
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import yaml
from curate_memory import ROOT, measured, real_documents, write_input

STAGES = ("ingest", "dedup", "score", "pack", "arms")


def write_params(folder: Path) -> None:
    """The demo's parameters over one pool."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    params["ingest"] |= {
        "passage_chars": 2000,
        "pools": {"crawl": {"path": "raw", "heldout": 0.02, "reference": 0.1}},
    }
    params["fit"]["domain"] = "crawl"
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


def run(stage: str, folder: Path) -> dict:
    """One stage: CPU seconds, wall seconds and its largest memory; its log is below .assay/logs."""
    return {"stage": stage} | measured(
        ["stages", stage], folder, stderr=subprocess.DEVNULL
    )


def growth(rows: list[dict]) -> list[dict]:
    """Of each stage, from the second largest to the largest size."""
    found = []
    for stage in dict.fromkeys(row["stage"] for row in rows):
        *_, first, last = [row for row in rows if row["stage"] == stage]
        exponent = float(
            np.log(last["cpu_s"] / first["cpu_s"]) / np.log(last["gb"] / first["gb"])
        )
        found.append(
            {
                "stage": stage,
                "from_gb": first["gb"],
                "to_gb": last["gb"],
                "time_exponent": exponent,
                "memory_ratio": last["peak_mb"] / first["peak_mb"],
            }
        )
        print(
            f"{stage:>7} from {first['gb']} to {last['gb']} GB: CPU time grows as"
            f" size^{exponent:.2f}, memory by a factor of"
            f" {found[-1]['memory_ratio']:.2f}"
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("gigabytes", nargs="*", type=float, default=[0.5, 1.0])
    parser.add_argument(
        "--stages",
        nargs="+",
        choices=STAGES,
        default=list(STAGES),
        help="in the order of the pipeline",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=None,
        help="where the pool is made; default a temporary folder",
    )
    parser.add_argument("--cache", type=Path, default=ROOT / "data/cache/wheels")
    arguments = parser.parse_args()
    words = real_documents(arguments.cache)
    print(
        f"{'GB':>6} {'stage':>7} {'CPU s':>8} {'wall s':>8} {'MB/CPU-s':>9}"
        f" {'peak MB':>8}"
    )
    rows = []
    for gigabytes in arguments.gigabytes:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
            folder = Path(name)
            write_input(folder / "raw", int(gigabytes * 1e9), words)
            write_params(folder)
            for stage in arguments.stages:
                row = {"gb": gigabytes} | run(stage, folder)
                rows.append(row | {"mb_per_cpu_s": gigabytes * 1e3 / row["cpu_s"]})
                print(
                    f"{gigabytes:6.2f} {stage:>7} {row['cpu_s']:8.1f}"
                    f" {row['wall_s']:8.1f} {rows[-1]['mb_per_cpu_s']:9.2f}"
                    f" {row['peak_mb']:8.0f}",
                    flush=True,
                )
    grown = growth(rows) if len(arguments.gigabytes) > 1 else []
    machine = {
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    print(json.dumps({"rows": rows, "growth": grown, "machine": machine}))


if __name__ == "__main__":
    main()
