"""A fit as data: the parts of the fit file that `assay fit`, the fit stage and the page share."""

from typing import Any

import numpy as np
import polars as pl

from stages.foundation.errors import InputError
from stages.laws.choosing.averaged import Mixture
from stages.laws.choosing.bootstrap import Bootstrap
from stages.laws.choosing.record import fit_record
from stages.laws.fitting.fit import Fit
from stages.laws.interface.law import Law
from stages.run_tables.candidates import numeric_rows, positive_numbers

LEVEL = 0.9


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


def fit_json(fit: Fit, boot: Bootstrap | None) -> dict[str, Any]:
    """The parts of a fit file that need no further rows."""
    return {
        **fit_record(fit, boot, LEVEL),
        "title": fit.law.title,
        "holdout": None,
        "predictions": [],
    }


def check(
    fit: Fit,
    boot: Bootstrap | Mixture | None,
    rows: dict[str, np.ndarray],
    arm: str | None = None,
) -> dict[str, Any]:
    """Errors on rows that were not fitted; coverage of intervals that include the noise of one run."""
    predicted, measured = fit.predict(rows, arm), rows["value"]
    report = {
        "n": len(measured),
        "mape": float(np.mean(np.abs(predicted / measured - 1))),
        "rmse": float(np.sqrt(np.mean((predicted - measured) ** 2))),
        "bias": float(np.mean(predicted - measured)),
        "coverage": None,
    }
    if boot is not None:
        low, high = boot.interval(rows, arm, level=LEVEL, new_run=True)
        report["coverage"] = float(np.mean((low <= measured) & (measured <= high)))
    return report


def predictions(
    fit: Fit,
    boot: Bootstrap | Mixture | None,
    table: pl.DataFrame,
    fitted: dict[str, np.ndarray],
    name: str,
) -> list[dict[str, Any]]:
    """Every row of `table` with value, interval and how far it lies beyond the fitted range."""
    rows = law_columns(fit.law, table, name, None, observed=False)
    if isinstance(boot, Mixture):  # its other laws may read more columns
        rows |= numeric_rows(table, name, observed=False)
    value = fit.predict(rows)
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
