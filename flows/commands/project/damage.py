"""`assay status --verify`: everything that was recorded or carries its hash, read and hashed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from stages.foundation import artefacts, hashes
from stages.foundation.errors import InputError
from stages.foundation.sealed import SEAL
from stages.pipeline import PIPELINE
from stages.proxy.workforce.resumed import damage as checkpoint_damage
from stages.runs.checked import read_run
from stages.runs.run_files import CARRIED_ON, SWEPT, trunk_files
from stages.searched.record import read_any_decision
from stages.verification.record import read_verification
from stages.verification.track_record import track_record_faults

DAMAGED = "damaged"
Row = dict[str, Any]


def damage_rows() -> list[Row]:
    """One row a stage, then one a kind of file that carries its own hash, then one a damaged file.

    Keys: name, kind, state (whole, damaged, not recorded), because.
    """
    rows: list[Row] = []
    damaged: list[Row] = []
    for name, kind, lines, n_files in _looked_at():
        faults = list(lines)
        state = DAMAGED if faults else "whole" if n_files else "not recorded"
        what = f"{len(faults)} of {n_files} files" if faults else f"{n_files} files"
        rows.append({"name": name, "kind": kind, "state": state, "because": what})
        damaged += [
            {"name": name, "kind": "file", "state": DAMAGED, "because": fault}
            for fault in faults
        ]
    return rows + damaged


def _looked_at() -> Iterator[tuple[str, str, Iterator[str], int]]:
    """Name, kind, one line a damaged file, and number of files."""
    for stage in PIPELINE:
        try:
            known = hashes.known_files(stage.name)
        except InputError as error:
            yield stage.name, "stage", iter([str(error)]), 1
            continue
        yield stage.name, "stage", hashes.faults(known), len(known)
    for folder in (SWEPT, CARRIED_ON):
        files = trunk_files(folder)
        n_old = sum(SEAL.encode() not in file.read_bytes()[-200:] for file in files)
        kind = f"run files, {n_old} without a hash" if n_old else "run files"
        yield folder.stage, kind, _unreadable(files, read_run), len(files)
    records: dict[str, Callable[[Path], object]] = {
        artefacts.DECISIONS: read_any_decision,
        artefacts.VERIFICATIONS: read_verification,
    }
    for place, read in records.items():
        files = sorted(Path(place).glob("*.json"))
        yield Path(place).name, "records", _unreadable(files, read), len(files)
    kept = Path(artefacts.TRACK_RECORD)
    yield kept.stem, "records", iter(track_record_faults(kept)), int(kept.is_file())
    files = sorted(Path(artefacts.CHECKPOINTS).glob("*.pt"))
    yield "checkpoints", "of trunks in training", _checkpoints(files), len(files)


def _unreadable(files: list[Path], read: Callable[[Path], object]) -> Iterator[str]:
    for file in files:
        try:
            read(file)
        except InputError as error:
            yield str(error)


def _checkpoints(files: list[Path]) -> Iterator[str]:
    for file in files:
        if why := checkpoint_damage(file):
            yield (
                f"{file} is damaged ({why}); `assay run` sets it aside and starts its"
                " runs anew"
            )
