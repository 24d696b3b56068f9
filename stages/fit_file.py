"""A fit as data: the JSON of `assay fit`, of the fit stage and of the page's law table."""

import time
from typing import Any

import numpy as np
import polars as pl

from stages.laws.bootstrap import Bootstrap, bootstrap
from stages.laws.fit import Fit, fit_law
from stages.laws.law import Law
from stages.laws.record import fit_record, to_state
from stages.runs import numbers

LEVEL = 0.9


def describe_law(law: Law) -> dict[str, Any]:
    """A law as data: formula, variables with units, parameters with bounds, source."""
    return {
        "name": law.name,
        "title": law.title,
        "formula": law.formula,
        "source": law.source,
        "variables": [{"name": v.name, "unit": v.unit, "meaning": v.meaning} for v in law.variables],
        "parameters": [{"name": p.name, "unit": p.unit, "low": p.low, "high": p.high, "meaning": p.meaning} for p in law.parameters],
        "reduces_to": law.reduces_to.law if law.reduces_to else None,
    }


def fit_table(
    law: Law,
    table: pl.DataFrame,
    name: str,
    *,
    holdout: pl.DataFrame | None = None,
    predict: pl.DataFrame | None = None,
    n_draws: int = 500,
    cluster: str | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Fit `law` to a table whose columns carry the law's names; the fit file of design.md as a dict.

    name: what error messages call the table. cluster: column whose rows are resampled together.
    """
    start = time.perf_counter()
    rows = law_columns(law, table, name, cluster)
    fit = fit_law(law, rows, delta=None, seed=seed)  # Huber at 1.345 of the residuals' own noise
    boot = bootstrap(fit, rows, clusters=cluster or (), n_draws=n_draws, seed=seed) if n_draws else None
    file = fit_json(fit, boot)
    if holdout is not None:
        file["holdout"] = check(fit, boot, law_columns(law, holdout, name, None))
    if predict is not None:
        file["predictions"] = predictions(fit, boot, predict, rows, name)
    file["seconds"] = round(time.perf_counter() - start, 3)
    return file | ({"state": to_state(boot)} if boot else {})


def law_columns(law: Law, table: pl.DataFrame, name: str, cluster: str | None, *, observed: bool = True) -> dict[str, np.ndarray]:
    """The law's variables, the values and the cluster labels as arrays (rows,)."""
    wanted = [*law.variable_names, *(["value"] if observed else [])]
    columns = numbers(table, wanted, name)
    if cluster is not None:
        if cluster not in table.columns:
            numbers(table, [cluster], name)  # raises the one-line error that lists the columns
        columns[cluster] = table[cluster].cast(pl.String).to_numpy()
    return columns


def fit_json(fit: Fit, boot: Bootstrap | None) -> dict[str, Any]:
    """The parts of a fit file that need no further rows."""
    return {**fit_record(fit, boot, LEVEL), "title": fit.law.title, "holdout": None, "predictions": []}


def parameter_rows(params: dict[str, Any]) -> list[dict[str, Any]]:
    """Parameters of a fit record, or of each arm, as flat rows."""
    rows = []
    for name, entry in params.items():
        for arm, value in entry.items() if "value" not in entry else [(None, entry)]:
            rows.append({"parameter": name if arm is None else f"{name} [{arm}]", **value})
    return rows


def check(fit: Fit, boot: Bootstrap | None, rows: dict[str, np.ndarray], arm: str | None = None) -> dict[str, Any]:
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
    fit: Fit, boot: Bootstrap | None, table: pl.DataFrame, fitted: dict[str, np.ndarray], name: str
) -> list[dict[str, Any]]:
    """Every row of `table` with value, interval and how far it lies beyond the fitted range."""
    rows = law_columns(fit.law, table, name, None, observed=False)
    value = fit.predict(rows)
    low, high = boot.interval(rows, level=LEVEL, new_run=True) if boot else (np.full_like(value, np.nan),) * 2
    beyond = extrapolation_decades(rows, fitted, fit.law)
    return [
        {**row, "value": float(value[i]), "low": _number(low[i]), "high": _number(high[i]), "extrapolation_decades": float(beyond[i])}
        for i, row in enumerate(table.to_dicts())
    ]


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def extrapolation_decades(rows: dict[str, np.ndarray], fitted: dict[str, np.ndarray], law: Law) -> np.ndarray:
    """Largest distance, in factors of ten over the law's variables, by which each row leaves the fitted range."""
    distances = [np.zeros(len(next(iter(rows.values()))))]
    for variable in law.variable_names:
        if not variable.startswith("share_"):
            above = np.log10(rows[variable] / fitted[variable].max())
            below = np.log10(fitted[variable].min() / rows[variable])
            distances.append(np.maximum(np.maximum(above, below), 0))
    return np.max(distances, axis=0)
