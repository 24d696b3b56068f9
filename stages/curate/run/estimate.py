"""What a run would cost, from a real run over one sampled shard.

Question: how many documents, how long, how much memory and disk? Input: the request. Output:
estimates in proportion to the bytes of the input as stored. The sample is the shard in the middle,
or the first megabytes of it where it cannot be cut; it goes through every step and search in a
temporary folder. What is dropped as a copy cannot be told from a sample. Cost: a few seconds.
"""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from stages.curate.copies.edges import PARTITION_RECORDS
from stages.curate.run.plan import Plan, plan_input
from stages.curate.run.run import Request, Run
from stages.curate.run.step_list import build_steps
from stages.curate.searches.copy_keys import repeat_kinds
from stages.curate.searches.semantic_search import TRAIN_BYTES
from stages.curate.work.executor import executor
from stages.curate.work.manifest_file import Manifest
from stages.curate.work.steps import apply_steps
from stages.curate.work.units import Piece, Unit
from stages.curation.duplicates.minhash import signatures
from stages.curation.reading import storage
from stages.curation.reading.named_files import InputFile
from stages.settings.curate import CurateSettings

SAMPLE_BYTES = 8_000_000
PARENT_BYTES = 8  # a document, see edges.py
# a run of 100,000 documents' keys, 19 MB, while it is sorted (computed): a sample does not fill one
SORT_BYTES = 60_000_000
# computed: the sample that centres are trained on, its unit rows and their products
SEMANTIC_BYTES = 3 * TRAIN_BYTES
# computed: 20 bytes a line, as read, joined and sorted, with their order
LINE_BYTES = 80 * PARTITION_RECORDS


def estimate(request: Request) -> dict[str, Any]:
    """documents, bytes, seconds, peak memory and disk that the run is expected to take."""
    plan = plan_input(request.inputs, request.settings, strict=request.strict)
    total = sum(unit.n_bytes for unit in plan.units)
    before = time.process_time()
    _warm_up(request)
    with (
        tempfile.TemporaryDirectory() as folder,
        _sampled(plan, request, Path(folder)) as (sample, size),
    ):
        clock = _Clock()
        manifest = _trial(
            request, replace(plan, units=[sample]), folder=Path(folder), clock=clock
        )
        disk, once = _disk(Path(folder))
    scale = total / size
    documents = round(manifest.counts.documents * scale)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )
    return {
        "files": len(plan.files),
        "shards": len(plan.units),
        "bytes": total,
        "sampled_bytes": size,
        "documents": documents,
        "characters": round(manifest.counts.characters * scale),
        "cpu_seconds": round(clock.steps * scale + clock.once, 1),
        "seconds": round(
            clock.steps
            * scale
            / min(request.workers, os.cpu_count() or 1, len(plan.units))
            + clock.once
            + clock.start
            - before,
            1,
        ),
        "workers": request.workers,
        "peak_memory_bytes": (
            (peak + _search_bytes(request.settings)) * request.workers
            + PARENT_BYTES * documents
        ),
        "disk_bytes": round(disk * scale) + once,
        "dropped_by_rules_share": _rules_share(manifest),
    }


class _Clock:
    """CPU seconds of the steps, which grow with the input, and of what is done once between them:
    models that are fitted.
    """

    def __init__(self) -> None:
        self.start = self.last = time.process_time()
        self.steps = self.once = 0.0

    def __call__(self, step: str, done: int, total: int) -> None:
        now = time.process_time()
        self.once, self.steps = (
            (self.once, self.steps + now - self.last)
            if done
            else (self.once + now - self.last, self.steps)
        )
        self.last = now


def _trial(request: Request, plan: Plan, folder: Path, clock: _Clock) -> Manifest:
    """The manifest of a run over the sample."""
    (folder / "units").mkdir()
    (folder / "copies").mkdir()
    request = replace(request, out=str(folder / "out"), strict=False, index=None)
    with executor("local", 1) as here:
        return Run(
            request, plan=plan, folder=folder, workers=here, progress=clock
        ).manifest("sample")


def _disk(folder: Path) -> tuple[int, int]:
    """Bytes of what grows with the input, and of the models."""
    models = [
        *folder.glob("models/**/*"),
        *(
            folder / "semantic" / name
            for name in ("space.npy", "centres.npy", "again.npy")
        ),
    ]
    once = sum(file.stat().st_size for file in models if file.is_file())
    return (
        sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) - once,
        once,
    )


def _search_bytes(settings: CurateSettings) -> int:
    """What the largest piece of a search over the whole input takes beyond the sample's: pieces are
    searched one after another.
    """
    semantic = [SEMANTIC_BYTES] if settings.semantic is not None else []
    lines = [LINE_BYTES] if repeat_kinds(settings) else []
    return max([SORT_BYTES, *semantic, *lines])


def _warm_up(request: Request) -> None:
    """Load what a process loads once, so that the sample does not pay for it."""
    settings = request.settings.model_copy(update={"quality": None, "scores": {}})
    texts = {name: ["0"] for name in ["id", "text", *settings.extra]}
    frame = pl.DataFrame(texts).with_columns(n_chars=pl.lit(1, dtype=pl.Int64))
    apply_steps(frame, build_steps(settings))
    signatures(frame, settings.dedup.minhash())


def _rules_share(manifest: Manifest) -> float:
    before, after = (
        next(
            row.documents
            for row in manifest.ledger
            if row.step == "rules" and row.status == status
        )
        for status in ("in", "kept")
    )
    return round(1 - after / max(1, before), 4)


@contextmanager
def _sampled(plan: Plan, request: Request, folder: Path) -> Iterator[tuple[Unit, int]]:
    """(a unit of about SAMPLE_BYTES, its bytes as stored)."""
    piece = max(
        plan.units[len(plan.units) // 2].pieces, key=lambda piece: piece.n_bytes
    )
    if piece.n_bytes <= 4 * SAMPLE_BYTES or piece.file.kind != "jsonl":
        unit = (
            plan.units[len(plan.units) // 2]
            if plan.units[len(plan.units) // 2].n_bytes <= 4 * SAMPLE_BYTES
            else Unit(0, (piece,))
        )
        yield Unit(0, unit.pieces), unit.n_bytes
        return
    path = folder / Path(piece.file.name).name
    with storage.reading(piece.file.path) as source:
        source.seek(piece.span.start if piece.span else 0)
        # its last line is cut, and counted as a row that cannot be read
        path.write_bytes(source.read(SAMPLE_BYTES))
    size = path.stat().st_size
    yield (
        Unit(
            0,
            (
                Piece(
                    InputFile(
                        path,
                        name=piece.file.name,
                        kind=piece.file.kind,
                        compression=piece.file.compression,
                    ),
                    None,
                    size,
                ),
            ),
        ),
        size,
    )
