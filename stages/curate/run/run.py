"""A curation run from files to files, in bounded memory, that goes on where it was killed.

Question: what is left of this input? Input: files and settings. Output, in one folder: kept/ and
dropped/ (parquet, input order, every measure and a reason), quarantine.jsonl (rows that cannot be
read), report.md, and manifest.json last. Pass 1 judges units of input one by one, searches look at
all units (searches.py), pass 2 writes the parts. Cost: 7 MB a CPU-second with FineWeb's rules and
near duplicates; disk for the work folder about the size of the input.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from stages.curate.run.fitted import fit_models
from stages.curate.run.manifest import build_manifest, write_result
from stages.curate.run.parts import PartTask
from stages.curate.run.plan import Plan, plan_input
from stages.curate.run.shard import ShardTask, forget_steps, unit_folder
from stages.curate.searches import signature_index
from stages.curate.searches.findings import findings
from stages.curate.searches.searches import Corpus, search
from stages.curate.work import work_folder
from stages.curate.work.executor import Executor, executor
from stages.curate.work.manifest_file import Manifest
from stages.curate.work.numbering import Units
from stages.curate.work.part_bounds import part_bounds
from stages.curation.reading import storage
from stages.curation.vectors.embeddings import Embed
from stages.foundation.errors import InputError
from stages.foundation.files import content_hash, read_json, refuse_no_folder
from stages.settings.curate import CurateSettings, looked_at

log = logging.getLogger("assay")
Progress = Callable[[str, int, int], None]  # step, done, of how many


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a person asked for."""

    inputs: Sequence[str]
    out: str
    settings: CurateSettings = CurateSettings()
    workers: int = 1
    executor: str = "local"
    strict: bool = False
    overwrite: bool = False
    work: Path | None = None
    index: Path | None = None
    # makes the embeddings of a proxy, in each worker, on the `device` it is called with
    embed: Callable[..., Embed] | None = None


def curate(
    request: Request, progress: Progress = lambda step, done, total: None
) -> Manifest:
    """Do the run, or what is left of it; the manifest."""
    request = replace(request, out=storage.local_path(request.out))
    settings = request.settings
    for place in (request.out, request.work, request.index):
        if place is not None and not storage.is_url(place):
            refuse_no_folder(place)
    plan = plan_input(request.inputs, settings, strict=request.strict)
    work_folder.refuse_inside(request.out, request.inputs)
    for option, place in (("--work", request.work), ("--index", request.index)):
        if place is not None:
            work_folder.refuse_inside(str(place), request.inputs, option)
    work_folder.refuse_read(request.out, list(plan.stamps))
    folder = work_folder.folder_of(request.out, request.work)
    with (
        work_folder.locked(folder, request.out),
        signature_index.locked(request.index),
    ):
        work_folder.check_free(request.out, folder)
        if request.overwrite:
            signature_index.forget(request.index, work_folder.hash_of(request.out))
            work_folder.remove_result(request.out, folder)
        manifest = _finished(request, plan, folder=folder, progress=progress)
        work_folder.clear(folder)
    return manifest


def _finished(
    request: Request, plan: Plan, folder: Path, progress: Progress
) -> Manifest:
    segments, result_hash = _hash(request, plan, folder)
    if (manifest := work_folder.finished(request.out, result_hash)) is not None:
        if request.strict and manifest.faults:
            raise InputError(next(iter(manifest.faults.values())).first)
        log.info(
            "%s: already done; nothing to do (input is compared by name, size, time of"
            " change and a sample of the content; --overwrite does it again)",
            request.out,
        )
        return manifest
    work = content_hash([result_hash, request.settings.shard_mb, request.strict])
    begun = {
        "hash": work,
        "result_hash": result_hash,
        "segments": segments,
        "out": request.out,
    }
    if work_folder.open_plan(folder, begun):
        log.info("%s: going on with an earlier run", request.out)
    with executor(request.executor, request.workers) as workers:
        return Run(
            request,
            plan=plan,
            folder=folder,
            workers=workers,
            progress=progress,
            segments=segments,
        ).manifest(result_hash)


def _hash(request: Request, plan: Plan, folder: Path) -> tuple[list[str], str]:
    """(segments of the index that this run reads, its hash): those of an earlier start of the same
    run, if there was one.
    """
    for known in work_folder.earlier(request.out, folder):
        found = plan.result_hash(request.settings, known["segments"])
        if found == known["result_hash"]:
            return known["segments"], found
    segments = signature_index.segments(request.index, request.settings.dedup)
    return segments, plan.result_hash(request.settings, segments)


@dataclass(frozen=True)
class Run:
    """One run on an open work folder."""

    request: Request
    plan: Plan
    folder: Path
    workers: Executor
    progress: Progress
    segments: list[str] = field(default_factory=list)

    def manifest(self, result_hash: str) -> Manifest:
        shards = self._shards()
        units = self._numbered(shards)
        if sum(shard["documents"] for shard in shards) == 0:
            n_rows = sum(shard["rows"] - shard["bad_rows"] for shard in shards)
            self._refuse_no_document(units, n_rows)
        self._refuse_absent({name for shard in shards for name in shard["seen"]})
        search(
            Corpus(
                units,
                work=self.folder,
                settings=self.request.settings,
                each=self._each,
                embed=self.request.embed,
                elsewhere=self.request.executor == "ray",
            )
        )
        parts = self._parts(units)
        if self.request.index is not None:
            self._index(self.request.index, units, result_hash)
        found = findings(units, self.folder / "copies", self.request.settings, parts)
        manifest = build_manifest(
            self.request.settings,
            self.plan,
            units=units.folders[: units.n_new],
            parts=parts,
            found=found,
            segments=self.segments,
            result_hash=result_hash,
        )
        for warning in manifest.warnings:
            log.warning("warning: %s", warning.message)
        write_result(
            self.request.out,
            self.folder,
            manifest=manifest,
            units=units.folders[: units.n_new],
        )
        return manifest

    def _parts(self, units: Units) -> list[dict]:
        """Write the output; the marker of every part."""
        bounds = tuple(part_bounds(units, self.request.settings.part_chars))
        task = PartTask(
            units,
            bounds=bounds,
            folder=self.folder / "copies",
            out=self.request.out,
            settings=self.request.settings,
        )
        parts = self._each("write the output", task, range(len(bounds) - 1))
        return sorted(parts, key=lambda part: part["part"])

    def _index(self, index: Path, units: Units, result_hash: str) -> None:
        """Add the signatures of what was read to the index."""
        segment, dedup = self.folder / "segment", self.request.settings.dedup
        task = signature_index.AddTask(units, self.folder / "copies", segment, dedup)
        self._each("add to the index", task, range(units.n_new))
        signature_index.add(index, segment, result_hash, dedup)

    def _numbered(self, shards: list[dict]) -> Units:
        """The units of this run, then those of the index, with the number of the first document of each."""
        known = signature_index.units(self.request.index, self.segments)
        units = self.folder / "units"
        folders = [unit_folder(units, shard["number"]) for shard in shards]
        sizes = [shard["documents"] for shard in shards]
        folders += [folder for folder, _ in known]
        sizes += [size for _, size in known]
        return Units(tuple(folders), (0, *accumulate(sizes)), len(shards))

    def _shards(self) -> list[dict]:
        fit_models(self.plan.units, self.request.settings, self.folder / "models")
        task = ShardTask(
            self.request.settings,
            folder=self.folder / "units",
            models=self.folder / "models",
            strict=self.request.strict,
        )
        try:
            judged = self._each("judge documents", task, self.plan.units)
        except Exception:
            self._refuse_changed()  # is why it could not be read
            raise
        self._refuse_changed()
        forget_steps()
        return sorted(judged, key=lambda shard: shard["number"])

    def _refuse_changed(self) -> None:
        """What was read of a file that changed meanwhile is of two files: none of it is used again."""
        try:
            self.plan.refuse_changed()
        except InputError:
            (self.folder / "plan.json").unlink(missing_ok=True)
            raise

    def _refuse_no_document(self, units: Units, n_rows: int) -> None:
        """n_rows: rows that could be read."""
        if n_rows:
            raise InputError(
                f"{self.plan.files[0].path}: no document in the input: all {n_rows:,}"
                " rows are without text; map the column that holds it (text=NAME)"
            )
        faults = (
            fault["first"]
            for folder in units.folders[: units.n_new]
            for fault in read_json(folder / "done.json")["faults"].values()
        )
        if first := next(faults, None):
            raise InputError(f"nothing in the input can be read: {first}")
        raise InputError(
            f"{self.plan.files[0].path}: the file holds no rows; write it again or"
            " leave it out"
        )

    def _refuse_absent(self, seen: set[str]) -> None:
        """Columns that no row has: refused where a setting looks at them, said where they are only carried along."""
        settings = self.request.settings
        needed = {column: key for key, column in looked_at(settings)}
        for name in (name for name in settings.extra if name not in seen):
            if name in needed:
                raise InputError(
                    f"no row of the input has the column {name!r}, which"
                    f" {needed[name]} needs; name the right column or leave"
                    f" {needed[name]} out"
                )
            log.warning(
                "no row of the input has the column %r: it is empty in the output", name
            )

    def _each(
        self, step: str, task: Callable[[Any], Any], items: Sequence[Any]
    ) -> list[Any]:
        results = []
        self.progress(step, 0, len(items))
        for result in self.workers.map(task, items):
            results.append(result)
            self.progress(step, len(results), len(items))
        return results
