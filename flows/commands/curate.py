"""`assay curate`: settings, run, and what a person sees of it."""

import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flows.commands.show import show
from stages.curate.run.estimate import estimate
from stages.curate.run.run import Request, curate
from stages.curate.work.executor import EXECUTORS
from stages.curate.work.manifest_file import Manifest
from stages.curation.reading import storage
from stages.curation.vectors.embeddings import Embed
from stages.foundation.errors import InputError
from stages.foundation.processes.stopping import say_when_stopped
from stages.foundation.yaml_file import is_text
from stages.settings.curate import CurateSettings
from stages.settings.params import load_curate

FAULT_LINES = 20

STOPPED = "assay: stopped; finished shards are kept, run the same command to go on"


def curate_command(
    inputs: list[str],
    out: str,
    params: Path | None,
    columns: dict[str, str],
    workers: int,
    executor: str,
    index: Path | None,
    work: Path | None,
    strict: bool,
    overwrite: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Run, or estimate, and print."""
    if executor not in EXECUTORS:
        raise InputError(
            f"--executor {executor}: must be one of {', '.join(EXECUTORS)}"
        )
    for name, column in columns.items():
        if not is_text(column):
            raise InputError(f"--{name} {column}: is no UTF-8; give the column's name")
    out = storage.local_path(out)
    settings = (load_curate(params) if params else CurateSettings()).model_copy(
        update=columns
    )
    request = Request(
        inputs=inputs,
        out=out,
        settings=settings,
        workers=workers,
        executor=executor,
        strict=strict,
        overwrite=overwrite,
        work=work,
        index=index,
        embed=_proxy(settings),
    )
    if dry_run:
        show(
            [
                {"what": name, "estimate": value}
                for name, value in estimate(request).items()
            ],
            as_json,
            title="Cost of the run, from one sampled shard",
        )
        return
    start = time.monotonic()
    manifest = _followed(request)
    if as_json:
        print(json.dumps(manifest.as_json(), indent=2, ensure_ascii=False))
    else:
        _print(manifest, out, time.monotonic() - start)


def _proxy(settings: CurateSettings) -> Callable[..., Embed] | None:
    if settings.semantic is None:
        return None
    from stages.pools.embed_documents import proxy_of  # loads the tokenizers

    return proxy_of(settings.semantic)


def _followed(request: Request) -> Manifest:
    """The run, with its notes on the error stream and a progress bar on a terminal."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    log = logging.getLogger("assay")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    bar = Bar() if sys.stderr.isatty() else None
    say_when_stopped(STOPPED)
    try:
        return curate(request, bar.update) if bar else curate(request)
    finally:
        log.removeHandler(handler)
        if bar:
            bar.close()


class Bar:
    """One bar for each step of a run."""

    def __init__(self) -> None:
        self.step = ""
        self.bar: Any = None  # of tqdm, which is loaded for the first step

    def update(self, step: str, done: int, total: int) -> None:
        from tqdm import tqdm

        if step != self.step:
            self.close()
            self.step, self.bar = (
                step,
                tqdm(
                    total=total, desc=step, unit="task", leave=False, dynamic_ncols=True
                ),
            )
        self.bar.update(done - self.bar.n)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def _print(manifest: Manifest, out: str, seconds: float) -> None:
    counts, kept = manifest.counts, manifest.kept
    rows = [
        row for row in manifest.reasons if row.documents_alone or row.documents_in_order
    ]
    shown = [
        {
            "reason": row.reason,
            "asks": row.asks,
            "drops alone": row.documents_alone,
            "in order": row.documents_in_order,
            "characters": row.characters_in_order,
        }
        for row in rows
    ]
    show(
        shown,
        False,
        title="What each reason drops alone, and of what the reasons before it left",
    )
    if quiet := len(manifest.reasons) - len(rows):
        print(f"{quiet} other reasons drop nothing.")
    print(
        f"\n{counts.documents:,} documents, {kept.documents:,} kept"
        f" ({kept.documents / max(1, counts.documents):.1%}),"
        f" {counts.dropped:,} dropped; {counts.empty:,} rows without text,"
        f" {counts.bad_rows:,} rows and {counts.bad_files:,} files cannot be read.\n{out}: kept/ dropped/ report.md"
        f" manifest.json; {seconds:.0f} s"
    )
    if (repeats := manifest.repeats) is not None:
        print(
            f"Repeated lines and paragraphs: {repeats['removed_chars']:,} characters"
            f" cut out of {repeats['shortened']:,} kept documents."
        )
    faults = [line for fault in manifest.faults.values() for line in fault.lines()]
    faults += [f"{path}: the file is empty" for path in manifest.empty_files]
    for line in faults[:FAULT_LINES]:
        print(f"set aside: {line}", file=sys.stderr)
    if len(faults) > FAULT_LINES:
        print(
            f"and {len(faults) - FAULT_LINES} more files, see report.md",
            file=sys.stderr,
        )
