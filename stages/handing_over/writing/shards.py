"""One shard after the other from what was scattered: files that appear whole, and a marker with counts and hashes.

Cost: that of the format; memory of a shard's content and one slice. What was scattered to a shard is deleted once the
shard is there, so that the disk never holds all of it twice.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl

from stages.foundation.files import file_hash, read_json, sync, write_json
from stages.handing_over.choosing.arm_documents import Group
from stages.handing_over.writing.payloads import written_id
from stages.handing_over.writing.scatter import scattered, shard_file


class Format(Protocol):
    """How shards are written. least_shards: fewer are of no use to the trainer."""

    @property
    def name(self) -> str: ...

    @property
    def of_tokens(self) -> bool: ...

    @property
    def least_shards(self) -> int: ...

    def files(self, shard: int, n_shards: int) -> list[str]:
        """Names of the files of a shard."""

    def write(self, paths: list[Path], slices: Iterator[pl.DataFrame]) -> None:
        """Write these files from slices of the shard's documents."""

    def beside(self, out: Path, facts: dict) -> list[str]:
        """Write what the trainer wants beside the shards; the names."""


@dataclass(frozen=True, eq=False)
class ShardWriter:
    """Writes shards of one run from its work folder to `out`.

    n_own: rows of the pack before the shortened texts. weights: documents carry their weight, which no repeat stands
    for.
    """

    format: Format
    groups: list[Group]
    folder: Path
    out: Path
    n_shards: int
    n_own: int
    weights: bool

    def __call__(self, shard: int) -> dict:
        """The marker of a shard: its files with documents, bytes and hash, and counts by group."""
        marker = self.folder / f"shard-{shard:05d}.json"
        if marker.exists() and self._is_there(read_json(marker)):
            shard_file(self.folder, shard).unlink(missing_ok=True)
            return read_json(marker)
        names = self.format.files(shard, self.n_shards)
        halves = [self.folder / f"half-{name}" for name in names]
        counts: dict[int, list[int]] = {}
        self.format.write(halves, self._counted(shard, counts))
        files = []
        for name, half in zip(names, halves, strict=True):
            size, digest = half.stat().st_size, file_hash(half)
            files.append({"file": name, "bytes": size, "hash": digest})
            sync(half)
            os.replace(half, self.out / name)
        done = {"files": files, "groups": [[key, *counts[key]] for key in counts]}
        write_json(marker, done)
        shard_file(self.folder, shard).unlink()
        return done

    def _is_there(self, done: dict) -> bool:
        paths = [(self.out / entry["file"], entry["bytes"]) for entry in done["files"]]
        return all(
            path.is_file() and path.stat().st_size == size for path, size in paths
        )

    def _counted(
        self, shard: int, counts: dict[int, list[int]]
    ) -> Iterator[pl.DataFrame]:
        """Slices as formats take them; documents, tokens and bytes by group are added to `counts`."""
        sizes = pl.col("n_tokens", "n_bytes").cast(pl.Int64).sum()
        for frame in scattered(self.folder, shard):
            for group, *found in (
                frame.group_by("group").agg(pl.len(), sizes).sort("group").iter_rows()
            ):
                known = counts.setdefault(group, [0, 0, 0])
                counts[group] = [a + b for a, b in zip(known, found, strict=True)]
            yield self._shown(frame)

    def _shown(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The columns that a format writes."""
        groups = [self.groups[index] for index in frame["group"]]
        ids = [
            written_id(number, row, self.n_own)
            for number, row in frame.select("id", "row").iter_rows()
        ]
        columns = {
            "id": ids,
            "source": [group.pool for group in groups],
            "tier": [group.tier for group in groups],
        }
        if self.format.of_tokens:
            return pl.DataFrame(columns).hstack(
                frame.select("row", "n_tokens", "content")
            )
        shown = pl.DataFrame(columns).insert_column(1, frame["content"].rename("text"))
        if self.weights:
            weight = pl.Series("weight", [group.weight for group in groups])
            shown = shown.with_columns(weight)
        return shown
