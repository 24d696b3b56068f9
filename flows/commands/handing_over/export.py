"""`assay export`: the winning arm over the whole pools, and what a person sees of it."""

import json
import logging
import sys
import time
from pathlib import Path
from typing import get_args

from flows.commands.curate import Bar
from flows.commands.show import show
from stages.foundation.errors import InputError
from stages.foundation.processes.stopping import say_when_stopped
from stages.handing_over.export import export
from stages.handing_over.handover import Request
from stages.handing_over.record import ExportManifest, FormatName
from stages.pipeline import PIPELINE
from stages.settings.arms import ArmsParams
from stages.settings.params import load_params
from stages.settings.pools import IngestParams

STOPPED = "assay: stopped; finished shards are kept, run the same command to go on"


def export_command(params: Path, request: Request, as_json: bool) -> None:
    """Export, and print what was written."""
    if request.format not in get_args(FormatName):
        raise InputError(
            f"--format {request.format}: must be one of"
            f" {', '.join(get_args(FormatName))}"
        )
    sections = load_params(params, PIPELINE)
    arms, ingest = sections["arms"], sections["ingest"]
    assert isinstance(arms, ArmsParams) and isinstance(ingest, IngestParams)
    start = time.monotonic()
    log = logging.getLogger("assay")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    bar = Bar() if sys.stderr.isatty() else None
    say_when_stopped(STOPPED)
    try:
        more = {"progress": bar.update} if bar else {}
        manifest = export(request, arms, removed=ingest.removed, **more)
    finally:
        log.removeHandler(handler)
        if bar:
            bar.close()
    if as_json:
        print(json.dumps(manifest.as_json(), indent=2, ensure_ascii=False))
    else:
        _print(manifest, request.out, time.monotonic() - start)


def _print(manifest: ExportManifest, out: Path, seconds: float) -> None:
    rows = [
        {
            "source": group.source,
            "tier": group.tier,
            "weight": group.weight,
            "uses": group.uses,
            "documents": group.documents,
            "tokens": group.tokens,
            "MB of text": group.bytes / 1e6,
        }
        for group in manifest.groups
    ]
    show(rows, False, title=f"{manifest.arm} ({manifest.label}), as {manifest.format}")
    bound, total = manifest.decision, manifest.totals
    why = (
        f"decided at {bound.flops:.4g} FLOPs"
        if bound.flops is not None
        else f"named by you; the decision is {bound.status.replace('_', ' ')}"
    )
    print(
        f"\n{total.documents:,} documents, {total.tokens:,} tokens in"
        f" {len(manifest.files)} files; {why}.\n{out}: manifest.json; {seconds:.0f} s"
    )
    beside = manifest.tokens_asked is None and manifest.proposal is None
    if beside and len({g.weight for g in manifest.groups}) > 1:
        print(
            "Weights differ and each document is written once: give the trainer the"
            " weights of manifest.json, or export with --tokens, which writes repeats.",
            file=sys.stderr,
        )
