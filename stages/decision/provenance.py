"""What a decision stands on: run ids, data hashes in and out, the commit, the versions."""

import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import polars as pl

from stages.decision.record import Provenance
from stages.foundation.dvc_lock import LOCK, dvc_hashes, locked
from stages.foundation.files import file_hash

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


def provenance(
    rows: pl.DataFrame,
    made_from: Sequence[str],
    read: Sequence[str] = (),
    params: dict[str, Any] | None = None,
) -> Provenance:
    """What the fitted rows stand on. made_from: the paths that they were read from; read: all files that the decision
    is made of; params: sections by name, beside those of the stages before.
    """
    before = locked(LOCK, [*made_from, *read])
    return Provenance(
        run_ids=sorted(rows["run_id"]),
        mlflow="tag assay.trunk_id of a run is the part of a run id before the dash",
        data_hashes=sorted(rows["data_hash"].unique()),
        code_hash=sorted(rows["code_hash"].unique()),
        dvc=dvc_hashes(LOCK, made_from),
        inputs={path: file_hash(path) for path in read},
        params=before.params | (params or {}),
        sources=before.sources,
        code=before.code,
        git_commit=git_commit(),
        versions={name: metadata.version(name) for name in PACKAGES},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


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
