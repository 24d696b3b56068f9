"""A fit as data: the fit file of `assay fit` as a model, and the parts of it that the fit stage and the page share.

The JSON schema of the file is docs/fit.schema.json, written by `assay schemas`.
"""

from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import Field

from stages.foundation.errors import InputError
from stages.foundation.record_files import FileRecord, Record
from stages.laws.choosing.averaged import Mixture
from stages.laws.choosing.bootstrap import LEVEL, Bootstrap
from stages.laws.choosing.choose import Choice
from stages.laws.choosing.record import ranked_law
from stages.laws.fitting.fit import Fit
from stages.laws.interface.fitted import (
    Note,
    RankedLaw,
    RunsCheck,
    TitledLaw,
)
from stages.laws.interface.law import Law
from stages.run_tables.candidates import numeric_rows, positive_numbers

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
            " null without refits) and extrapolation_decades (factors of ten beyond"
            " the fitted range)"
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
        scale=choice.scale,
        mixture=[(fit.law.name, share) for fit, share in choice.members],
    )


def cluster_labels(table: pl.DataFrame, cluster: str, name: str) -> np.ndarray:
    """The cluster of each row as text, (rows,)."""
    if cluster not in table.columns:
        raise InputError(
            f"{name}: no column {cluster!r} to cluster by; columns are"
            f" {', '.join(table.columns[:20])}"
        )
    return table[cluster].cast(pl.String).to_numpy()


def law_columns(
    law: Law,
    table: pl.DataFrame,
    name: str,
    cluster: str | None,
    *,
    observed: bool = True,
) -> dict[str, np.ndarray]:
    """The law's variables, the values and the cluster labels as arrays (rows,)."""
    wanted = [*law.variable_names, *(["value"] if observed else [])]
    columns = positive_numbers(table, wanted, name)
    if cluster is not None:
        columns[cluster] = cluster_labels(table, cluster, name)
    return columns


def check(
    fit: Fit,
    boot: Bootstrap | Mixture | None,
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
    boot: Bootstrap | Mixture | None,
    table: pl.DataFrame,
    fitted: dict[str, np.ndarray],
    name: str,
) -> list[PredictedRow]:
    """Every row of `table` with value, interval and how far it lies beyond the fitted range."""
    rows = law_columns(fit.law, table, name=name, cluster=None, observed=False)
    if isinstance(boot, Mixture):  # its other laws may read more columns
        rows |= numeric_rows(table, name, observed=False)
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
        if not variable.startswith("share_"):
            above = np.log10(rows[variable] / fitted[variable].max())
            below = np.log10(fitted[variable].min() / rows[variable])
            distances.append(np.maximum(np.maximum(above, below), 0))
    return np.max(distances, axis=0)
