"""Pass 1 over one unit: read it, judge each document, keep what the search for copies needs.

Question: what does this unit hold, and what do the steps say of it? Output: a folder of its own, which appears whole or
not at all and is the unit's completion marker:
    documents.parquet   every document with its measures, `failed` and `reason`
    marks.bin           of each document that is left: id, score for keep-best, hashes
    keys-*.bin          its keys for copies, in sorted runs of 100,000 documents
    lines-*.bin         its lines (and paragraphs-*.bin), where repeated ones are looked for
    chars.bin           characters of every document
    bad.jsonl           rows that cannot be read
    done.json           counts
Cost: 8 MB a CPU-second with FineWeb's rules; memory of one batch and one run, 300 MB (measured).
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import polars as pl

from stages.curate.run.step_list import build_steps
from stages.curate.searches.copy_keys import CopyKeys
from stages.curate.work.quarantine import Quarantine
from stages.curate.work.staged import Staged
from stages.curate.work.steps import Step, apply_steps
from stages.curate.work.tally import Tally
from stages.curate.work.unit_rows import ReadCount, unit_documents
from stages.curate.work.units import Unit
from stages.curation.reading.storage import disk_errors
from stages.foundation.files import read_json, whole_folder, write_json
from stages.settings.curate import CurateSettings


@dataclass(frozen=True)
class ShardTask:
    """Judge units into `folder`; goes to workers whole."""

    settings: CurateSettings
    folder: Path
    models: Path | None = None
    strict: bool = False

    def __call__(self, unit: Unit) -> dict:
        """How many rows and documents the unit holds, from its folder if it is there already."""
        target = unit_folder(self.folder, unit.number)
        if not target.exists():
            with disk_errors(self.folder), whole_folder(target) as temporary:
                judge_unit(
                    unit,
                    self.settings,
                    steps=_steps(self.settings.model_dump_json(), self.models),
                    folder=temporary,
                    strict=self.strict,
                )
        done = read_json(target / "done.json")
        return {"number": unit.number} | {
            name: done[name] for name in ("rows", "bad_rows", "documents", "seen")
        }


def forget_steps() -> None:
    """Let go of what the steps hold in this process (models, lists), once every unit is judged."""
    _steps.cache_clear()


def unit_folder(folder: Path, number: int) -> Path:
    return folder / f"unit-{number:06d}"


@lru_cache(maxsize=1)
def _steps(settings: str, models: Path | None) -> list[Step]:
    return build_steps(CurateSettings.model_validate_json(settings), models)


def judge_unit(
    unit: Unit,
    settings: CurateSettings,
    steps: list[Step],
    folder: Path,
    *,
    strict: bool = False,
) -> dict:
    """Fill the folder of one unit; `strict` stops at the first row that cannot be read."""
    tally, read = Tally(steps), ReadCount()
    with (
        Quarantine(folder / "bad.jsonl", strict) as bad,
        CopyKeys(folder, settings) as copies,
        Staged(folder, settings, steps) as staged,
    ):
        for frame in unit_documents(unit, settings, on_bad=bad, count=read):
            frame, fails = apply_steps(frame, steps)
            reason, failed = _reasons(fails)
            tally.add(frame, fails, reason)
            staged.write(frame.with_columns(reason=reason, failed=failed))
            copies.add(frame, reason.is_null())
        done = {
            "rows": read.rows + bad.rows,
            "empty": read.empty,
            "bad_rows": bad.rows,
            "documents": staged.documents,
            "seen": sorted(read.seen),
        } | tally.as_json()
    done["faults"] = bad.faults
    write_json(folder / "done.json", done)
    return done


def _reasons(fails: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """The first reason that drops each document (null if none), and all of them."""
    names = fails.columns
    first = pl.coalesce(
        pl.lit(None, dtype=pl.String),
        *(pl.when(pl.col(name)).then(pl.lit(name)) for name in names),
    )
    every = pl.concat_list(
        pl.when(pl.col(name)).then(pl.lit(name)) for name in names
    ).list.drop_nulls()
    table = fails.select(reason=first, failed=every)
    return table["reason"], table["failed"]
