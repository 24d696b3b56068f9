"""The proposal of a search, its reference and its best run as views of the resamples, made as arms are."""

from collections.abc import Mapping, Sequence

import polars as pl

from stages.curation.selecting.arm_views import mixed, named_pools
from stages.presentation.phase_names import DECAY, of_phase
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


def _parts(
    record: SearchedRecord, name: str, phase: str | None = None
) -> dict[str, float]:
    """Domain -> share, or tier -> uses over those of the tier used most: what is left of uses where a run is longer.

    phase: of that alone, by pool.
    """
    values = values_of(record, name)
    if phase is not None:
        values = of_phase(values, phase)
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
    resamples = documents.partition_by("draw", maintain_order=True)
    question = record.question.name
    parts = [
        used(record, _parts(record, name, phase), resample, tiers).with_columns(
            arm=pl.lit(
                decay_name(question, name)
                if phase == DECAY
                else arm_name(question, name)
            )
        )
        for name in distinct(record)
        for phase in (record.phases or (None,))
        for resample in resamples
    ]
    return pl.concat(parts).select(views.columns)


def decay_name(question: str, name: str) -> str:
    """What the documents that decays of one of SEARCHED_ARMS read are called."""
    return f"{arm_name(question, name)}:{DECAY}"


def used(
    record: SearchedRecord,
    values: Mapping[str, float],
    documents: pl.DataFrame,
    tiers: Sequence[str],
) -> pl.DataFrame:
    """The documents of one resample that these shares or uses take, with `weight`, ordered by row."""
    if record.kind == "mixture":
        total = sum(values.values())
        shares = {pool: share / total for pool, share in values.items()}
        found = mixed(named_pools(documents, list(shares)), shares)
    else:
        uses = [values.get(tier, 0.0) for tier in tiers]
        weight = pl.col("tier").replace_strict(
            range(len(uses)), uses, return_dtype=pl.Float64
        )
        found = documents.with_columns(weight=weight).filter(pl.col("weight") > 0)
    return found.sort("row")
