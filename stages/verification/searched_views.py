"""The proposal of a search, its reference and its best run as views of the resamples, made as arms are."""

from collections.abc import Sequence

import polars as pl

from stages.curation.selecting.arm_views import mixed, named_pools
from stages.searched.record import (
    SEARCHED_ARMS,
    SearchedRecord,
    arm_name,
    values_of,
)

SAME = 1e-4  # ours: shares that differ by less, or uses by so much of them, are one arm


def distinct(record: SearchedRecord) -> list[str]:
    """Those of SEARCHED_ARMS that are not the same data as one before."""
    kept: list[str] = []
    for name in SEARCHED_ARMS:
        if not any(_alike(_parts(record, name), _parts(record, each)) for each in kept):
            kept.append(name)
    return kept


def _parts(record: SearchedRecord, name: str) -> dict[str, float]:
    """Domain -> share, or tier -> uses over those of the tier used most: what is left of uses where a run is longer."""
    values = values_of(record, name)
    whole = 1.0 if record.kind == "mixture" else max(values.values())
    return {key: value / whole for key, value in values.items() if value > 0}


def _alike(some: dict[str, float], others: dict[str, float]) -> bool:
    keys = {*some, *others}
    return all(abs(some.get(key, 0.0) - others.get(key, 0.0)) < SAME for key in keys)


def searched_views(
    record: SearchedRecord,
    arms: Sequence[str],
    views: pl.DataFrame,
    tiers: Sequence[str],
) -> pl.DataFrame:
    """The arms of a record in every resample: the columns of `views` with `arm` as arm_name says.

    arms: of the question, whose documents the resample holds; views: data/arms/views.parquet; tiers: by number.
    """
    documents = (
        views.filter(pl.col("arm").is_in(list(arms)))
        .unique(["draw", "row"], keep="first", maintain_order=True)
        .drop("weight")
    )
    parts = [
        _used(record, name, part, tiers)
        for name in distinct(record)
        for part in documents.partition_by("draw", maintain_order=True)
    ]
    return pl.concat(parts).select(views.columns)


def _used(
    record: SearchedRecord, name: str, documents: pl.DataFrame, tiers: Sequence[str]
) -> pl.DataFrame:
    """The documents of one resample that one of SEARCHED_ARMS uses, with `weight`, ordered by row."""
    values = _parts(record, name)
    if record.kind == "mixture":
        total = sum(values.values())
        shares = {pool: share / total for pool, share in values.items()}
        used = mixed(named_pools(documents, list(shares)), shares)
    else:
        uses = [values.get(tier, 0.0) for tier in tiers]
        weight = pl.col("tier").replace_strict(
            range(len(uses)), uses, return_dtype=pl.Float64
        )
        used = documents.with_columns(weight=weight).filter(pl.col("weight") > 0)
    return used.sort("row").with_columns(
        arm=pl.lit(arm_name(record.question.name, name))
    )
