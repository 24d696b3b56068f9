"""Question: who held the documents that must go? Input: entries (ids, addresses, sources). Output: for each the
documents it names and their role, the arms whose views hold them, the runs that trained on these or were judged by
them, the decisions that rest on such runs. Nothing is changed here. Cost: 2 million documents a CPU-second.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from stages.curation.duplicates.clusters import SHORTENED
from stages.curation.reading.row_groups import batches
from stages.foundation import artefacts
from stages.pools.removal import NAMES, made_of, named_by
from stages.searched.record import Decision, read_decisions

POOL, HELD_OUT, REFERENCE = "pool", "held out", "reference"


@dataclass(frozen=True)
class Held:
    """What an entry names and who held it. arms: name -> resamples. data_hashes: of the views as runs name them."""

    entry: str
    documents: list[str]
    roles: list[str]
    arms: dict[str, list[int]]
    data_hashes: list[str]
    runs: list[str]
    decisions: list[str]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def holders(entries: frozenset[str]) -> list[Held]:
    """One for each entry, in order; of one that names nothing all is empty."""
    found = documents_named(entries)
    views = _views(found["id"])
    runs = _runs()
    decisions = read_decisions(artefacts.DECISIONS)
    return [
        _held(entry, found.filter(entry=entry), views, runs, decisions)
        for entry in sorted(entries)
    ]


def documents_named(entries: frozenset[str]) -> pl.DataFrame:
    """Columns entry, id, pool, role of every ingested document that an entry names, or that was made of one."""
    kept = ("entry", "id", "pool", "role")
    parts = [pl.DataFrame(schema=dict.fromkeys((*kept, "parent"), pl.String))]
    for file, role in _ingested():
        there = pl.read_parquet_schema(file)
        columns = [name for name in (*NAMES, "pool") if name in there]
        for frame in batches(file, columns):
            named = frame.with_columns(named_by(frame, entries), role=pl.lit(role))
            named = named.filter(pl.col("entry").is_not_null())
            parts.append(named.select(pl.col(*kept, "parent").cast(pl.String)))
    found = pl.concat(parts)
    made = made_of(
        found["parent"], [file for file, role in _ingested() if role == POOL]
    )
    by_source = found.select("entry", origin="parent").unique(maintain_order=True)
    more = made.join(by_source, on="origin", maintain_order="left")
    return pl.concat(
        [found.select(kept), more.with_columns(role=pl.lit(POOL)).select(kept)]
    )


def _ingested() -> Iterator[tuple[Path, str]]:
    for file in sorted(Path(artefacts.POOLS).rglob("*.parquet")):
        yield file, POOL
    for file in sorted(Path(artefacts.INGESTED_HELD_OUT).glob("*.parquet")):
        yield file, HELD_OUT
    if Path(artefacts.REFERENCE).is_file():
        yield Path(artefacts.REFERENCE), REFERENCE


def _views(ids: pl.Series) -> pl.DataFrame:
    """Arm, draw and id of the documents, whole or without repeated lines, in all views."""
    if not Path(artefacts.VIEWS).is_file():
        return pl.DataFrame(
            schema={"arm": pl.String, "draw": pl.Int64, "id": pl.String}
        )
    rows = pl.scan_parquet(artefacts.VIEWS).select(
        "arm",
        pl.col("draw").cast(pl.Int64),
        pl.col("id").str.strip_suffix(SHORTENED),
    )
    return rows.filter(pl.col("id").is_in(ids.implode())).collect()


def _runs() -> pl.DataFrame:
    """Every run with its arm, resample, hash of data and metric, verified ones too."""
    columns = ["run_id", "arm", "pool_draw", "data_hash", "metric"]
    files = [
        file for file in (artefacts.RUNS, artefacts.VERIFY_RUNS) if Path(file).is_file()
    ]
    empty = pl.DataFrame(
        schema=dict.fromkeys(columns, pl.String) | {"pool_draw": pl.Int64}
    )
    tables = [
        pl.read_parquet(file, columns=columns).with_columns(
            pl.col("pool_draw").cast(pl.Int64)
        )
        for file in files
    ]
    return pl.concat([empty, *tables])


def _held(
    entry: str,
    found: pl.DataFrame,
    views: pl.DataFrame,
    runs: pl.DataFrame,
    decisions: list[Decision],
) -> Held:
    held = views.filter(pl.col("id").is_in(found["id"].implode()))
    pairs = held.select("arm", pool_draw="draw").unique()
    trained = runs.join(pairs, on=["arm", "pool_draw"], how="semi")
    # the last part of a metric is the held-out domain that it is measured on
    domains = found.filter(role=HELD_OUT)["pool"].unique().to_list()
    ends = pl.any_horizontal(
        pl.lit(False),
        *(pl.col("metric").str.ends_with(f"_{domain}") for domain in domains),
    )
    used = pl.concat([trained, runs.filter(ends)])
    ids = set(used["run_id"])
    arms = {
        arm: sorted(part["draw"].unique().to_list())
        for (arm,), part in sorted(held.partition_by("arm", as_dict=True).items())
    }
    # the quality classifier learnt from reference text, and every arm is made from its scores
    taught = bool(found.filter(role=REFERENCE).height)
    return Held(
        entry=entry,
        documents=sorted(found["id"].unique().to_list()),
        roles=found["role"].unique().sort().to_list(),
        arms=arms,
        data_hashes=sorted(set(trained["data_hash"])),
        runs=sorted(ids),
        decisions=[
            record.question.name
            for record in decisions
            if taught or ids & set(record.provenance.run_ids)
        ],
    )
