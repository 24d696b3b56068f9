"""A fit as data: the fit file of `assay fit` as a model, and the parts of it that the fit stage and the page share.

The JSON schema of the file is docs/fit.schema.json, written by `assay schemas`.
"""

from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import Field

from stages.foundation.errors import InputError
from stages.foundation.record_files import FileRecord, Record
from stages.laws.choosing.averaged import Mixture, Prediction
from stages.laws.choosing.bootstrap import LEVEL
from stages.laws.choosing.choose import Choice
from stages.laws.choosing.record import ranked_law
from stages.laws.fitting.fit import Fit
from stages.laws.interface import cost as costs
from stages.laws.interface.cost import SIX, Cost
from stages.laws.interface.fitted import (
    Note,
    RankedLaw,
    RunsCheck,
    TitledLaw,
)
from stages.laws.interface.law import Law
from stages.run_columns.positive import may_be_zero, positive_numbers
from stages.run_tables.candidates import numeric_rows
from stages.runs.table import as_words

VERSION: Literal[1] = 1
# a row of the reader's own table with what was predicted for it
PredictedRow = dict[str, Any]


class ChosenLaw(Record):
    """How `assay fit auto` came to its law."""

    variant: str = Field(description="name of the law with its priors and weights")
    reason: str = Field(description="why this law and not the next")
    ranking: list[RankedLaw] = Field(description="candidates, best first")
    refused: dict[str, str] = Field(description="candidate -> why it was not fitted")
    warnings: list[Note] = Field(description="what to know about the choice")
    scale: float = Field(
        description="errors beyond the runs, as the held-out runs show them, over the usual ones"
    )
    mixture: list[tuple[str, float]] = Field(
        description="law, its part of the weight of a prediction"
    )


class FitFile(TitledLaw, FileRecord):
    """A law fitted to anybody's table of runs: what `assay fit --out` writes and `assay plan` reads."""

    remedy = "write it again with `assay fit LAW TABLE --out FILE`"

    version: Literal[1] = Field(VERSION, description="number of this format")
    holdout: RunsCheck | None = Field(
        None, description="the law against the rows of --holdout; null without"
    )
    predictions: list[PredictedRow] = Field(
        [],
        description=(
            "rows of --predict with value, low, high (unit of the value; low and high"
            " null without refits), extrapolation_decades (factors of ten beyond the"
            " fitted range) and, with shares, mixture_beyond (part of the mixture that"
            " would have to move to lie between those trained)"
        ),
    )
    value_label: str = Field(description="what the table called the value")
    choice: ChosenLaw | None = Field(
        description="how the law was chosen; null where it was named"
    )
    figures: list[str] = Field([], description="paths of the figures written")
    seconds: float = Field(0.0, description="time that the fit took, seconds")
    state: dict[str, Any] | None = Field(
        None,
        description="all of the fit and its refits, for `assay plan`; absent without refits",
    )

    def as_json(self) -> dict[str, Any]:
        """The JSON value of the file; `version` first, `state` only where there are refits."""
        value = super().as_json()
        if self.state is None:
            del value["state"]
        return {"version": value.pop("version")} | value


def chosen_law(choice: Choice) -> ChosenLaw:
    """Which candidate was taken, why, and what the others say."""
    return ChosenLaw(
        variant=choice.variant.name,
        reason=choice.reason,
        ranking=[ranked_law(score) for score in choice.ranking],
        refused=choice.refused,
        warnings=choice.warnings,
        scale=choice.errors.scale,
        mixture=[(fit.law.name, share) for fit, share in choice.members],
    )


def labels(
    table: pl.DataFrame, column: str, name: str, purpose: str = "to cluster by"
) -> np.ndarray:
    """The cluster or arm of each row as text, (rows,)."""
    if column not in table.columns:
        raise InputError(
            f"{name}: no column {column!r} {purpose}; columns are"
            f" {', '.join(table.columns[:20])}"
        )
    named = as_words(table[column], name)
    if named.null_count():
        row = int(named.is_null().arg_max() or 0) + 1
        raise InputError(
            f"{name}: column {column!r}, row {row} is empty ({named.null_count()} of"
            f" {len(named)} rows); name it, or leave it out with --where"
        )
    return named.to_numpy()


def label_columns(
    table: pl.DataFrame, name: str, cluster: str | None, arm: str | None
) -> dict[str, np.ndarray]:
    """The cluster of each row under its own name, and its arm as `arm`, (rows,) each."""
    found = {} if cluster is None else {cluster: labels(table, cluster, name)}
    if arm is None:
        return found
    return found | {"arm": labels(table, arm, name, "to tell the arms apart")}


def law_columns(
    law: Law,
    table: pl.DataFrame,
    name: str,
    cluster: str | None,
    *,
    observed: bool = True,
    arm: str | None = None,
    cost: Cost = SIX,
) -> dict[str, np.ndarray]:
    """The law's variables, the values, the labels of clusters and arms, and what tells the cost of a
    run, as arrays (rows,).

    FLOPs that the table lacks come from sizes and tokens by `cost`.
    """
    has = set(table.columns)
    wanted = {*law.variable_names, *(["value"] if observed else [])}
    derived = "flops" in wanted - has and set(costs.READ[1:]) <= has
    if derived or set(costs.READ) <= has:
        wanted |= set(costs.READ)
    own = sorted(wanted - {"flops"} if derived else wanted)
    columns = positive_numbers(table, own, name)
    if derived:
        columns["flops"] = cost.flops(columns["n_params"], columns["n_tokens_seen"])
    return columns | label_columns(table, name, cluster, arm)


def check(
    fit: Fit,
    boot: Prediction | None,
    rows: dict[str, np.ndarray],
    arm: str | None = None,
) -> RunsCheck:
    """Errors on rows that were not fitted; coverage of intervals that include the noise of one run."""
    predicted, measured = (boot or fit).central(rows, arm), rows["value"]
    coverage = None
    if boot is not None:
        low, high = boot.interval(rows, arm, level=LEVEL, new_run=True)
        coverage = float(np.mean((low <= measured) & (measured <= high)))
    return RunsCheck(
        n=len(measured),
        mape=float(np.mean(np.abs(predicted / measured - 1))),
        rmse=float(np.sqrt(np.mean((predicted - measured) ** 2))),
        bias=float(np.mean(predicted - measured)),
        coverage=coverage,
    )


def predictions(
    fit: Fit,
    boot: Prediction | None,
    table: pl.DataFrame,
    fitted: dict[str, np.ndarray],
    name: str,
    arm: str | None = None,
) -> list[PredictedRow]:
    """Every row of `table` with value, interval and how far it lies beyond the fitted range."""
    cost = fit.cost
    rows = law_columns(
        fit.law, table, name=name, cluster=None, observed=False, arm=arm, cost=cost
    )
    if isinstance(boot, Mixture):  # its other laws may read more columns
        rows |= numeric_rows(table, name, observed=False, cost=cost)
    value = (boot or fit).central(rows)
    low, high = (
        boot.interval(rows, level=LEVEL, new_run=True)
        if boot
        else (np.full_like(value, np.nan),) * 2
    )
    beyond = extrapolation_decades(rows, fitted, fit.law)
    return [
        {
            **row,
            "value": float(value[i]),
            "low": _number(low[i]),
            "high": _number(high[i]),
            "extrapolation_decades": float(beyond[i]),
        }
        for i, row in enumerate(table.to_dicts())
    ]


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def extrapolation_decades(
    rows: dict[str, np.ndarray], fitted: dict[str, np.ndarray], law: Law
) -> np.ndarray:
    """Largest distance, in factors of ten over the law's variables, by which each row leaves the fitted range."""
    distances = [np.zeros(len(next(iter(rows.values()))))]
    for variable in law.variable_names:
        if variable.startswith("share_") or variable == "schedule":
            continue
        seen, wanted = fitted[variable], rows[variable]
        if may_be_zero(variable):  # 0 is as near as the least run that is above it
            least = seen[seen > 0].min(initial=np.inf)
            if np.isinf(least):
                continue
            seen, wanted = np.maximum(seen, least), np.maximum(wanted, least)
        above, below = np.log10(wanted / seen.max()), np.log10(seen.min() / wanted)
        distances.append(np.maximum(np.maximum(above, below), 0))
    return np.max(distances, axis=0)
