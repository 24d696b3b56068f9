"""The input of a curation run as it was found: files, units of work, and a hash of all that decides the result."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.curate.run.versions import versions
from stages.curate.work.units import Unit, cut
from stages.curation.reading import storage
from stages.curation.reading.named_files import InputFile, find_files
from stages.foundation.errors import InputError
from stages.foundation.files import content_hash
from stages.foundation.one_line import printable
from stages.settings.curate import CurateSettings


@dataclass(frozen=True)
class Plan:
    """The input as it was found."""

    files: list[InputFile]
    units: list[Unit]
    empty: list[str]
    ignored: list[str]
    inputs: list[dict[str, Any]] = field(default_factory=list)
    # evaluation and reference files
    other: list[dict[str, Any]] = field(default_factory=list)
    # of every file that is read, as it was before
    stamps: dict[Path | str, str] = field(default_factory=dict)

    def refuse_changed(self) -> None:
        """InputError where a file is no longer what it was when it was found."""
        for path, before in self.stamps.items():
            storage.refuse_changed(path, before)

    def result_hash(
        self, settings: CurateSettings, segments: Sequence[str] = ()
    ) -> str:
        """Changes when the result may: with the files, the settings that matter, what an index
        knew, and the versions.
        """
        tree = settings.model_dump(exclude={"shard_mb"})
        return content_hash(
            {
                "settings": tree,
                "inputs": self.inputs,
                "other": self.other,
                "segments": list(segments),
                "versions": versions(),
            }
        )


def plan_input(
    inputs: Sequence[str], settings: CurateSettings, *, strict: bool = False
) -> Plan:
    """Find the files and cut them into units."""
    files, ignored = find_files(list(inputs))
    texts, others = settings.other_files()
    more = (find_files(texts)[0] if texts else []) + [
        InputFile(Path(path), name=path, kind="text", compression="") for path in others
    ]
    stamps = {file.path: storage.stamp(file.path) for file in [*files, *more]}
    units, empty = cut(files, int(settings.shard_mb * 1e6))
    if empty and (strict or not units):
        raise InputError(
            f"{empty[0].path}: the file is empty; write it again or leave it out"
        )
    return Plan(
        files,
        units=units,
        empty=[printable(str(file.path)) for file in empty],
        ignored=[printable(str(path)) for path in ignored],
        inputs=_described(files),
        other=_described(more),
        stamps=stamps,
    )


def _described(files: Sequence[InputFile]) -> list[dict[str, Any]]:
    return [
        {
            "name": file.name,
            "path": printable(str(file.path)),
            "fingerprint": storage.fingerprint(file.path),
        }
        for file in files
    ]
