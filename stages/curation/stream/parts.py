"""Pass 2: the output, in parts that do not depend on how the work was cut.

Question: which documents stay, and where did the others go? Input: the staged documents and the LOSER records. Output:
kept/part-00000.parquet and dropped/part-00000.parquet, both in input order with every measure, `reason` (null for a kept
document), `failed` (all reasons) and `duplicate_of` (the id of the copy that stays). A part begins where the characters
of the input reach a multiple of `part_chars`, a row group where its own text reaches 8 million: so the bytes are the
same for any number of shards and workers. Cost: 90 MB a CPU-second; memory of two row groups (measured).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from stages.curation import storage
from stages.curation.row_groups import RowGroups
from stages.curation.stream.losers import REASONS
from stages.curation.stream.numbering import Units
from stages.curation.stream.sorted_runs import LOSER, mapped, range_of
from stages.curation.stream.staged import CHARS
from stages.curation.stream.tally import nearest_zero, sampled
from stages.files import file_hash, read_json, write_json


def part_bounds(units: Units, part_chars: int) -> list[int]:
    """The first ordinal of each part, and the number of documents at the end."""
    bounds, total, last = [0], 0, 0
    for unit in range(units.n_new):
        chars = np.array(mapped(units.folders[unit] / "chars.bin", CHARS)).astype(np.int64)
        part = (total + np.cumsum(chars) - chars) // part_chars
        new = np.flatnonzero(np.diff(part, prepend=last))
        bounds += (units.starts[unit] + new).tolist()
        total, last = total + int(chars.sum()), int(part[-1]) if len(part) else last
    return [*bounds, units.n_documents]


@dataclass(frozen=True)
class PartTask:
    """Write one part below `out`; its marker, with counts and hashes, goes to `folder`."""

    units: Units
    bounds: tuple[int, ...]
    folder: Path  # of the losers and the markers
    out: str

    def __call__(self, part: int) -> dict:
        marker = self.folder / f"part-{part:05d}.json"
        if marker.exists() and all(storage.exists(storage.join(self.out, entry["file"])) for entry in read_json(marker)["files"]):
            return read_json(marker)
        with storage.disk_errors(self.folder):
            done = self._write(part)
            write_json(marker, done)
        return done

    def _write(self, part: int) -> dict:
        low, high = self.bounds[part], self.bounds[part + 1]
        sides = {side: RowGroups(self.folder / f"{side}-{part:05d}.parquet") for side in ("kept", "dropped")}
        copies: dict[str, dict] = {}
        for frame in judged(self.units, self.folder, low, high):
            _count_copies(copies, frame)
            sides["kept"].add(frame.filter(pl.col("reason").is_null()))
            sides["dropped"].add(frame.filter(pl.col("reason").is_not_null()))
        files = [self._published(side, part, groups) for side, groups in sides.items()]
        return {"part": part, "files": files, "copies": copies}

    def _published(self, side: str, part: int, groups: RowGroups) -> dict:
        groups.close()
        name = f"{side}/part-{part:05d}.parquet"
        entry = {"file": name, "documents": groups.documents, "characters": groups.characters}
        entry |= {"bytes": groups.path.stat().st_size, "hash": file_hash(groups.path)}
        storage.publish(groups.path, storage.join(self.out, *name.split("/")))
        return entry


def judged(units: Units, folder: Path, low: int, high: int) -> Iterator[pl.DataFrame]:
    """Documents low <= ordinal < high with their final reason, batch by batch."""
    gone = np.concatenate([np.zeros(0, dtype=LOSER), *(range_of(run, LOSER, low, high) for run in sorted(folder.glob("losers-*.bin")))])
    reasons = pl.Series([f"duplicate_{name}" for name in REASONS])
    table = pl.DataFrame(
        {
            "ordinal": np.ascontiguousarray(gone["ordinal"]),
            "duplicate_of": pl.Series([f"{value:016x}" for value in gone["winner_id"].tolist()], dtype=pl.String),
            "_copy": reasons.gather(gone["reason"].astype(np.uint32)) if len(gone) else pl.Series([], dtype=pl.String),
        }
    )
    for start, frame in staged_rows(units, low, high):
        frame = frame.with_columns(ordinal=pl.int_range(start, start + frame.height, dtype=pl.Int64))
        frame = frame.join(table, on="ordinal", how="left", maintain_order="left")
        yield frame.with_columns(reason=pl.coalesce("reason", "_copy")).drop("ordinal", "_copy")


def staged_rows(units: Units, low: int, high: int) -> Iterator[tuple[int, pl.DataFrame]]:
    """(ordinal of the first row, staged documents) of every row group that overlaps the range, cut to it."""
    first = int(np.searchsorted(units.starts, low, side="right")) - 1
    for unit in range(max(first, 0), units.n_new):
        at = units.starts[unit]
        if at >= high:
            return
        with pq.ParquetFile(units.folders[unit] / "documents.parquet") as table:
            for group in range(table.num_row_groups):
                rows = table.metadata.row_group(group).num_rows
                if at < high and at + rows > low:
                    frame = pl.from_arrow(table.read_row_group(group))
                    begin = max(0, low - at)
                    yield at + begin, frame[begin : min(rows, high - at)]
                at += rows


def _count_copies(copies: dict[str, dict], frame: pl.DataFrame) -> None:
    found = frame.filter(pl.col("duplicate_of").is_not_null())
    for (reason,), rows in found.partition_by("reason", as_dict=True).items():
        entry = copies.setdefault(reason, {"documents": 0, "characters": 0, "examples": []})
        entry["documents"] += rows.height
        entry["characters"] += int(rows["n_chars"].sum())
        entry["examples"] = nearest_zero([*entry["examples"], *sampled(rows)])
