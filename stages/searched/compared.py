"""What records of a mixture and of a curve over tiers share: a proposal beside another data set, the target, the draft
of a record.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from stages.decision.at_target import count_text
from stages.decision.provenance import provenance
from stages.decision.record import Question
from stages.foundation import artefacts
from stages.presentation.metric_words import metric_parts, metric_unit
from stages.searched.record import (
    VERSION,
    Aimed,
    Band,
    BestRun,
    Objective,
    SearchedRecord,
    SearchedTables,
    WeightedMetric,
)
from stages.settings.decide import DecideParams
from stages.target.target import Target


@dataclass(frozen=True)
class Pair:
    """A proposal and another data set. values (2,); drawn (draws, 2): of equal draws; ends: quantiles of intervals."""

    values: np.ndarray
    drawn: np.ndarray
    ends: tuple[float, float]

    @property
    def gains(self) -> np.ndarray:
        """The other less the proposal in each draw, (draws,)."""
        return self.drawn[:, 1] - self.drawn[:, 0]

    @property
    def gain(self) -> Band:
        """The other less the proposal; positive is better."""
        return band(float(self.values[1] - self.values[0]), self.gains, self.ends)

    @property
    def loss(self) -> Band:
        """The proposal less the other."""
        value, low, high = self.gain
        return 0.0 - value, 0.0 - high, 0.0 - low  # nothing is 0, not -0

    def objective(self) -> Objective:
        """Of the proposal beside its reference, which is the other."""
        return Objective(
            value=band(float(self.values[0]), self.drawn[:, 0], self.ends),
            reference=float(self.values[1]),
            gain=self.gain,
            p_better=float(np.mean(self.gains > 0)),
        )

    def best_run(
        self,
        name: str,
        shares: dict[str, float],
        *,
        measured: float | None,
        tolerance: float,
    ) -> BestRun:
        """Of the proposal beside the best of the runs, which is the other."""
        return BestRun(
            run_id=name,
            shares=shares,
            measured=measured,
            gain=self.gain,
            p_not_worse=float(np.mean(self.gains > -tolerance)),
        )


def band(value: float, draws: np.ndarray, ends: tuple[float, float]) -> Band:
    """(value, low, high) with the value inside. draws (draws,)."""
    low, high = (float(end) for end in np.quantile(draws, ends))
    return value, min(low, value), max(high, value)


def mixed_tokens(
    question: Mapping[str, Any],
    pool_tokens: Mapping[str, float],
    ingested: Mapping[str, float],
) -> dict[str, float]:
    """Tokens of each pool or cluster that a question mixes, where pools have so many.

    question: of arms.json; pool_tokens: pool -> tokens there; ingested: as many as parts of clusters were counted of.
    """
    parts = question.get("parts")
    if parts is None:
        return {pool: float(pool_tokens[pool]) for pool in question["over"]}
    return {
        cluster: sum(
            n_tokens * pool_tokens[pool] / ingested[pool]
            for pool, n_tokens in held.items()
        )
        for cluster, held in parts.items()
    }


def weighted(metric: str, weight: float) -> WeightedMetric:
    """A metric of the runs table as the record has it."""
    domain = metric_parts(metric)[1]
    return WeightedMetric(
        name=metric, domain=domain, unit=metric_unit(metric), weight=weight
    )


def aimed(
    target: Target | None,
    ingested: Mapping[str, float],
    largest_flops: float,
    *,
    question: Mapping[str, Any] | None = None,
) -> Aimed | None:
    """The target with its pools, or what a question mixes of them, and how far it lies beyond the proxies.

    ingested: tokens of the pools.
    """
    if target is None:
        return None
    used = target.pools(ingested)
    if question is not None:
        used = mixed_tokens(question, used, ingested)
    return Aimed(
        n_params=target.params,
        n_tokens=target.n_tokens,
        flops=target.n_flops,
        pool_tokens=used,
        decades=float(np.log10(target.n_flops / largest_flops)),
        text=(
            f"{count_text(target.params)} parameters and"
            f" {count_text(target.n_tokens)} tokens from {'pools' if question else 'a pool'} of"
            f" {count_text(sum(used.values()))}"
        ),
    )


def draft(
    name: str,
    question: Mapping[str, Any],
    *,
    rows: pl.DataFrame,
    params: DecideParams,
    read: list[str],
    **found: Any,
) -> SearchedRecord:
    """A record of which nothing is said yet. rows: those that were fitted; read: the files that it is made of."""
    return SearchedRecord(
        version=VERSION,
        question=Question(name=name, title=question["title"]),
        sentence="",
        status="tie",
        reason="",
        n_draws=rows["pool_draw"].n_unique(),
        provenance=provenance(
            rows,
            made_from=[artefacts.RUNS],
            read=read,
            params={"decide": params.model_dump()},
        ),
        tables=SearchedTables(proposal=[], predicted=[], rungs=[]),
        **found,
    )
