"""Pass 2: the output, in parts that do not depend on how the work was cut.

Question: which documents stay, and where did the others go? Input: the staged documents and the
LOSER records. Output: kept/part-00000.parquet and dropped/part-00000.parquet, both in input order
with every measure, `reason` (null for a kept document), `failed` (all reasons), `duplicate_of` (the
id of the copy that stays) and `similarity` (to it, of shingles: Jaccard); repeated lines are cut
here. A part begins where the characters of the input reach a multiple of `part_chars`, a row group
where its own text reaches 8 million: so the bytes are the same for any number of shards and
workers. Cost: 90 MB a CPU-second; memory of two row groups (measured).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from stages.curate.searches.drops import drops, reason_names, search_steps
from stages.curate.searches.findings import PAIRS
from stages.curate.searches.line_cuts import judged_lines, repeat_columns, repeats_of
from stages.curate.work.numbering import Units
from stages.curate.work.staged import staged_rows
from stages.curate.work.tally import nearest_zero, sampled
from stages.curation.reading import storage
from stages.curation.reading.row_groups import RowGroups
from stages.foundation.files import file_hash, read_json, write_json
from stages.settings.curate import CurateSettings


@dataclass(frozen=True)
class PartTask:
    """Write one part below `out`; its marker, with counts and hashes, goes to `folder`."""

    units: Units
    bounds: tuple[int, ...]
    folder: Path  # of the losers and the markers
    out: str
    settings: CurateSettings

    def __call__(self, part: int) -> dict:
        marker = self.folder / f"part-{part:05d}.json"
        if marker.exists() and all(
            storage.exists(storage.join(self.out, entry["file"]))
            for entry in read_json(marker)["files"]
        ):
            return read_json(marker)
        with storage.disk_errors(self.folder):
            done = self._write(part)
            write_json(marker, done)
        return done

    def _write(self, part: int) -> dict:
        low, high = self.bounds[part], self.bounds[part + 1]
        sides = {
            side: RowGroups(self.folder / f"{side}-{part:05d}.parquet")
            for side in ("kept", "dropped")
        }
        searched: dict[str, dict] = {}
        repeats: dict[str, int] = {}
        pairs: list[list] = []
        for frame in judged(
            self.units, self.folder, settings=self.settings, low=low, high=high
        ):
            _count_searched(searched, frame)
            _count_repeats(repeats, frame, self.settings)
            pairs = nearest_zero([*pairs, *sampled_pairs(frame)], PAIRS)
            frame = frame.drop("_search", "_removed", "_winner")
            sides["kept"].add(frame.filter(pl.col("reason").is_null()))
            sides["dropped"].add(frame.filter(pl.col("reason").is_not_null()))
        for groups in sides.values():
            groups.close()
        files = [self._published(side, part, groups) for side, groups in sides.items()]
        return {
            "part": part,
            "files": files,
            "searched": searched,
            "repeats": repeats,
            "pairs": pairs,
        }

    def _published(self, side: str, part: int, groups: RowGroups) -> dict:
        name = f"{side}/part-{part:05d}.parquet"
        entry = {
            "file": name,
            "documents": groups.documents,
            "characters": groups.characters,
        }
        entry |= {"bytes": groups.path.stat().st_size, "hash": file_hash(groups.path)}
        storage.publish(groups.path, storage.join(self.out, *name.split("/")))
        return entry


def judged(
    units: Units, folder: Path, settings: CurateSettings, low: int, high: int
) -> Iterator[pl.DataFrame]:
    """Documents low <= ordinal < high with their final reason and, where lines are looked at,
    without what repeats; batch by batch.

    `_search` is the reason of a search over the whole input, `_removed` the characters that were
    cut out.
    """
    gone = drops(folder, low, high)
    reasons = pl.Series(reason_names(settings), dtype=pl.String)
    winners = gone["winner_id"].tolist()
    table = pl.DataFrame(
        {
            "ordinal": np.ascontiguousarray(gone["ordinal"]),
            "duplicate_of": pl.Series(
                [f"{value:016x}" if value else None for value in winners],
                dtype=pl.String,
            ),
            "similarity": pl.Series(gone["similarity"], dtype=pl.Float32).fill_nan(
                None
            ),
            "_winner": np.ascontiguousarray(gone["winner"]),
            "_search": (
                reasons.gather(gone["reason"].astype(np.uint32))
                if len(gone)
                else pl.Series([], dtype=pl.String)
            ),
        }
    )
    found = repeats_of(folder, settings, search="last", low=low, high=high)
    for start, frame in staged_rows(units, low, high):
        frame = frame.with_columns(
            ordinal=pl.int_range(start, start + frame.height, dtype=pl.Int64)
        )
        frame = frame.join(table, on="ordinal", how="left", maintain_order="left")
        frame = frame.with_columns(
            reason=pl.coalesce("reason", "_search"), _removed=pl.col("n_chars")
        )
        looked_at = (
            frame["reason"].is_null()
            | frame["_search"].is_in(search_steps(settings)["lines"])
        ).fill_null(False)
        frame = judged_lines(
            frame, found, settings=settings, looked_at=looked_at.to_numpy()
        )
        yield frame.with_columns(pl.col("_removed") - pl.col("n_chars")).drop("ordinal")


def sampled_pairs(frame: pl.DataFrame) -> list[list]:
    """[hash, id, source, snippet, reason, id of the copy that stays, similarity, its ordinal] of
    near copies.
    """
    near = frame.filter(
        pl.col("_search").is_in(["duplicate_near", "duplicate_bands"]).fill_null(False)
    )
    found = {row[1]: row for row in sampled(near, PAIRS)}
    more = near.filter(pl.col("id").is_in(list(found))).select(
        "id", "_search", "duplicate_of", "similarity", "_winner"
    )
    return [[*found[id_], *rest] for id_, *rest in more.iter_rows()]


def _count_searched(counts: dict[str, dict], frame: pl.DataFrame) -> None:
    found = frame.filter(pl.col("_search").is_not_null())
    for (reason,), rows in found.partition_by("_search", as_dict=True).items():
        entry = counts.setdefault(
            reason, {"documents": 0, "characters": 0, "examples": []}
        )
        entry["documents"] += rows.height
        entry["characters"] += int(rows["n_chars"].sum())
        entry["examples"] = nearest_zero([*entry["examples"], *sampled(rows)])


def _count_repeats(
    counts: dict[str, int], frame: pl.DataFrame, settings: CurateSettings
) -> None:
    """Of the documents that stay: what repeats in them, and what was cut out."""
    frame = frame.filter(pl.col("reason").is_null())
    for name in repeat_columns(settings):
        counts[name] = counts.get(name, 0) + int(frame[name].sum())
    counts["removed_chars"] = counts.get("removed_chars", 0) + int(
        frame["_removed"].sum()
    )
    counts["shortened"] = counts.get("shortened", 0) + int(
        (frame["_removed"] > 0).sum()
    )
