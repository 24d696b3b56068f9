"""The arm that a question was decided for, over the user's whole pools, in shards that a trainer reads.

Question: what do I feed my trainer? Input: a decision record and the ingested pools with their scores. Output, in one
folder: shards, what the format wants beside them, and manifest.json last, which binds them to the decision. Held-out
and reference documents are in no pool, so they cannot leave. Order: the arm's documents with their copies are found
from columns alone (choosing/), their content goes to the shards that hashes name, each shard is written (writing/).
A killed run goes on with the same bytes. Cost: 30 to 60 MB a CPU-second; disk of the text once more while it runs;
memory of about 1 GB at 10 GB of pool (benchmarks/export.py).
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stages import images
from stages.curate.work.work_folder import clear
from stages.curation.reading.storage import disk_errors
from stages.foundation import artefacts
from stages.foundation.errors import InputError
from stages.foundation.files import refuse_no_folder
from stages.foundation.processes.one_holder import one_holder
from stages.handing_over import work
from stages.handing_over.answer import answer_of
from stages.handing_over.handover import Handover, Request
from stages.handing_over.manifest import manifest_of
from stages.handing_over.plan import plan_of
from stages.handing_over.record import ExportManifest
from stages.handing_over.register import register
from stages.handing_over.writing.scatter import Progress, Scatter
from stages.handing_over.writing.shards import ShardWriter
from stages.pools.removal import entries_of
from stages.searched.record import Decision, read_any_decision
from stages.settings.arms import ArmsParams
from stages.settings.pools import list_files

log = logging.getLogger("assay")


def export(
    request: Request,
    arms: ArmsParams,
    progress: Progress = lambda step, done, total: None,
    removed: str | Sequence[str] | None = None,
) -> ExportManifest:
    """Write the arm, or what is left to write; the manifest. arms: the section of params.yaml; removed: its
    `ingest.removed`.

    Raises RefusedError where nothing is decided and no arm is named, or where the decision is of other data;
    InputError where the request, the folder or a file cannot be used.
    """
    if images.are_pooled():
        raise InputError("assay export writes text; the pools here are images")
    record = _decision(request.question)
    answer = answer_of(record, request.arm, request.budget)
    out = request.out
    refuse_no_folder(out)
    work.check_free(out)
    with _locked(out):
        if request.overwrite:
            work.remove_export(out)
        entries = entries_of(list_files(removed))
        handover = Handover(request, arms, record, answer, entries)
        manifest = _hand_over(handover, progress)
        register(out, manifest, removed)
    return manifest


def _decision(question: str) -> Decision:
    path = Path(artefacts.decision(question))
    known = sorted(file.stem for file in Path(artefacts.DECISIONS).glob("*.json"))
    if question not in known:
        raise InputError(
            f"{path}: no such decision; decided questions are"
            f" {', '.join(known) or 'none'}, `assay run` makes them"
        )
    return read_any_decision(path)


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """One export at a time into a folder; nothing stays of one that never began."""
    folder = out / work.WORK
    with disk_errors(out):
        holder = one_holder(
            folder / "lock",
            f"{out}: another export is at work here",
            "wait for it or give another --out",
        )
        with holder:
            try:
                yield
            finally:
                if not (folder / work.PLAN).is_file():
                    clear(folder)
                    if out.is_dir() and not any(out.iterdir()):
                        out.rmdir()


def _hand_over(handover: Handover, progress: Progress) -> ExportManifest:
    """Write what is left to write; the manifest, which is the last file."""
    out = handover.request.out
    plan = plan_of(handover)
    done = work.finished(out, plan["hash"], handover.record)
    if done is not None:
        log.info("%s: already done; nothing to do", out)
        return done
    size = handover.content_bytes
    work.require_room(out, size + 2 * size // handover.n_shards)
    if work.open_plan(out, plan):
        log.info("%s: going on with an earlier export", out)
    folder = out / work.WORK
    _read_pools(handover, folder, progress)
    shards = _write_shards(handover, folder, progress)
    manifest = manifest_of(handover, shards, plan["hash"])
    manifest.write(out / work.MANIFEST)
    clear(folder)
    return manifest


def _read_pools(handover: Handover, folder: Path, progress: Progress) -> None:
    """Every chosen document to its shard; nothing where that is done."""
    done = folder / "read"
    if done.exists():
        return
    scatter = Scatter(
        handover.chosen,
        payload=handover.payload,
        folder=folder,
        n_shards=handover.n_shards,
        seed=handover.params.seed,
    )
    scatter.run(progress)
    done.touch()


def _write_shards(handover: Handover, folder: Path, progress: Progress) -> list[dict]:
    """The markers of the shards, which are written where they are not there yet."""
    n_shards = handover.n_shards
    writer = ShardWriter(
        handover.format,
        groups=handover.chosen.groups,
        folder=folder,
        out=handover.request.out,
        n_shards=n_shards,
        n_own=int((~handover.packed["shortened"]).sum()),
        weights=handover.weights_are_left,
    )
    shards = []
    for shard in range(n_shards):
        progress("write shards", shard, n_shards)
        shards.append(writer(shard))
    progress("write shards", n_shards, n_shards)
    return shards
