"""What the stage ingest reads and writes; its work is stages/ingest.py."""

import os
from pathlib import Path

from stages.foundation import artefacts
from stages.foundation.errors import ParamsError
from stages.foundation.stage import Stage
from stages.settings.pools import IngestParams, list_files


def input_files(params: IngestParams) -> list[str]:
    """The user's own files and folders, as DVC dependencies; of a glob the folder above its first wildcard."""
    paths = [pool.path for pool in params.pools.values() if pool.path is not None]
    paths += list_files(params.removed)
    flat = [
        path
        for entry in paths
        for path in ([entry] if isinstance(entry, str) else entry)
    ]
    return sorted({_fixed_part(path) for path in flat})


def _fixed_part(path: str) -> str:
    """The path itself if it exists, or the folder above its first wildcard: DVC knows files and folders, no globs."""
    if os.path.exists(path):
        return Path(path).as_posix()
    parts = Path(path).parts
    wild = next(
        (i for i, part in enumerate(parts) if set("*?[") & set(part)), len(parts)
    )
    if wild == 0:
        raise ParamsError(
            f"ingest.pools: path {path!r} begins with a wildcard; put the"
            " files into a folder of their own"
        )
    return Path(*parts[:wild]).as_posix()


stage = Stage(
    name="ingest",
    params=IngestParams,
    question="What text do we have, and which of it may nobody train on?",
    inputs=input_files,
    reads_outside=True,
    shown=f"`{artefacts.INGEST}/` pools, held-out, reference, manifest",
    outs=(artefacts.INGEST,),
    metrics=(artefacts.INGEST_METRICS,),
)
