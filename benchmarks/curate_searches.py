"""What the searches of `assay curate` add: python benchmarks/curate_searches.py [GB ...]
[--settings NAME ...] [--workers N] [--folder DIR].

The input of curate_memory.py (real documents, perturbed), each size run twice in its own process:
with the defaults, and with n-gram perplexity fitted to the input and cut at a share, semantic
copies with D4, repeated lines and paragraphs. CPU seconds, the largest resident memory of the
process tree, and what each search dropped. Needs a disk of about four times the largest size.
"""

import argparse
import json
import os
import platform
import tempfile
from pathlib import Path

from curate_memory import ROOT, measured, real_documents, write_input

SETTINGS = {
    "defaults": "curate: {}\n",
    "searches": (
        "curate: {scores: {nats: {kind: ngram, keep: 0.9}}, semantic: {keep_diverse:"
        " 0.9}, lines: {drop_above: 0.8}, paragraphs: {}}\n"
    ),
}


def run(folder: Path, name: str, workers: int) -> dict:
    """One run of the command on folder/input: what it cost, and its counts."""
    (folder / f"{name}.yaml").write_text(SETTINGS[name])
    with open(folder / f"{name}.json", "w") as file:
        cost = measured(
            [
                "flows.cli",
                "curate",
                "input",
                "--out",
                name,
                "--params",
                f"{name}.yaml",
                "--workers",
                str(workers),
                "--json",
            ],
            folder,
            stdout=file,
        )
    manifest = json.loads((folder / f"{name}.json").read_text())
    searched = {
        row["reason"]: row["documents_in_order"]
        for row in manifest["reasons"]
        if row["documents_alone"] is None
    }
    counts = {part: manifest["counts"][part] for part in ("documents", "kept")}
    removed = manifest.get("repeats", {}).get("removed_chars", 0)
    return {
        "settings": name,
        **cost,
        **counts,
        "searched": searched,
        "removed_chars": removed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("gigabytes", nargs="*", type=float, default=[0.3, 1.0])
    parser.add_argument(
        "--settings", nargs="+", choices=list(SETTINGS), default=list(SETTINGS)
    )
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--folder",
        type=Path,
        default=None,
        help="where the input is made; default a temporary folder",
    )
    parser.add_argument("--cache", type=Path, default=ROOT / "data/cache/wheels")
    arguments = parser.parse_args()
    words, rows = real_documents(arguments.cache), []
    print(
        f"{'GB':>6} {'settings':>9} {'documents':>10} {'kept':>9} {'CPU s':>8}"
        f" {'MB/CPU-s':>9} {'peak MB':>8} {'cut Mchars':>10}  dropped by each search"
    )
    for gigabytes in arguments.gigabytes:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            write_input(Path(folder) / "input", int(gigabytes * 1e9), words)
            for name in arguments.settings:
                row = {"gb": gigabytes} | run(Path(folder), name, arguments.workers)
                rows.append(row | {"mb_per_cpu_s": gigabytes * 1e3 / row["cpu_s"]})
                print(
                    f"{gigabytes:6.2f} {name:>9} {row['documents']:10,} {row['kept']:9,}"
                    f" {row['cpu_s']:8.1f} {rows[-1]['mb_per_cpu_s']:9.2f} {row['peak_mb']:8.0f}"
                    f" {row['removed_chars'] / 1e6:10.1f}  {row['searched']}",
                    flush=True,
                )
    machine = {
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    print(json.dumps({"rows": rows, "workers": arguments.workers, "machine": machine}))


if __name__ == "__main__":
    main()
