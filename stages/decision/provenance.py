"""What a decision stands on: run ids, data hashes in and out, the commit, the versions."""

import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import polars as pl
import yaml

PACKAGES = (
    "dvc",
    "mlflow",
    "numpy",
    "polars",
    "prefect",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "tokenizers",
    "torch",
)


def provenance(rows: pl.DataFrame) -> dict[str, Any]:
    """run_ids and data_hashes of the fitted rows; dvc: path -> hash of every stage up to the sweep."""
    return {
        "run_ids": sorted(rows["run_id"]),
        "mlflow": "tag assay.trunk_id of a run is the part of a run id before the dash",
        "data_hashes": sorted(rows["data_hash"].unique()),
        "code_hash": sorted(rows["code_hash"].unique()),
        "dvc": dvc_hashes(Path("dvc.lock")),
        "git_commit": git_commit(),
        "versions": {name: metadata.version(name) for name in PACKAGES},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def dvc_hashes(lock: Path) -> dict[str, dict[str, str]]:
    """Stage -> {path: hash} of what DVC recorded as made; empty where DVC has not run."""
    if not lock.is_file():
        return {}
    stages = yaml.safe_load(lock.read_text("utf-8")).get("stages", {})
    downstream = {"fit", "decide", "report"}
    return {
        name: {out["path"]: out["md5"] for out in entry.get("outs", [])}
        for name, entry in stages.items()
        if name not in downstream
    }


def git_commit() -> str | None:
    """The commit of the working tree, with `+` where tracked code differs from it."""
    try:
        head = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "diff", "--quiet", "HEAD", "--", "stages", "flows", "params.yaml"],
            check=False,
        ).returncode
    except (OSError, subprocess.CalledProcessError):
        return None
    return head + ("+" if changed else "")
