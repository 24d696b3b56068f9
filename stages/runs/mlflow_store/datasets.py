"""What a run read, as MLflow's dataset inputs with DVC's digests: the pool, the arm's documents, the held-out text.

`dvc get . PATH --rev GIT` or `dvc checkout` brings back what a digest names.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.foundation import artefacts
from stages.foundation.dvc_lock import LOCK, locked_stages

CONTEXTS = {
    "pool": artefacts.PACKED_POOLS,
    "curated": artefacts.VIEWS,
    "heldout": artefacts.PACKED_HELD_OUT,
}


@dataclass(frozen=True)
class Read:
    """One input of a run. context: pool, curated or heldout. digest: DVC's, or the arm's own hash without DVC."""

    name: str
    context: str
    path: str
    digest: str


def dvc_digests(lock: Path = LOCK) -> dict[str, str]:
    """Context -> DVC's digest of its file or folder; those that DVC has not recorded are left out."""
    if not lock.is_file():
        return {}
    outs = {
        out["path"]: out.get("md5", "")
        for entry in locked_stages(lock).values()
        for out in entry.get("outs", [])
    }
    return {name: outs[path] for name, path in CONTEXTS.items() if outs.get(path)}


def what_was_read(run: dict[str, Any], digests: dict[str, str]) -> list[Read]:
    """The inputs of a finished trunk; without DVC its arm alone, by the hash of its tokens."""
    found = {"curated": run["data_hash"], **digests}
    names = {"curated": run["arm"]}
    return [
        Read(
            name=names.get(context, context),
            context=context,
            path=path,
            digest=found[context],
        )
        for context, path in CONTEXTS.items()
        if context in found
    ]


def dataset_inputs(reads: list[Read]) -> list[Any]:
    """The same as MLflow's entities."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    return [
        DatasetInput(
            Dataset(
                name=read.name,
                digest=read.digest,
                source_type="local",
                source=json.dumps({"uri": read.path}),
            ),
            [InputTag("mlflow.data.context", read.context)],
        )
        for read in reads
    ]
