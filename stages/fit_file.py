"""A fit as data: the JSON of `assay fit`, of the fit stage and of the page's law table."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from stages.laws.bootstrap import Bootstrap, bootstrap
from stages.laws.fit import Fit, fit_law
from stages.laws.law import Law
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
    fit = fit_law(law, rows, seed=seed)
    boot = bootstrap(fit, rows, clusters=cluster or (), n_draws=n_draws, seed=seed) if n_draws else None
    file = fit_json(fit, boot)
    if holdout is not None:
        file["holdout"] = check(fit, boot, law_columns(law, holdout, name, None))
    if predict is not None:
        file["predictions"] = predictions(fit, boot, predict, rows, name)
    return {**file, "seconds": round(time.perf_counter() - start, 3)}


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
    return {
        "law": fit.law.name,
        "title": fit.law.title,
        "formula": fit.law.formula,
        "source": fit.law.source,
        "params": parameter_rows(fit, boot),
        "objective": fit.objective,
        "n_points": fit.n_points,
        "n_clusters": boot.n_clusters if boot else fit.n_points,
        "starts": fit.starts,
        "runner_up_objective": fit.runner_up,
        "condition_number": fit.condition_number,
        "rms_log": fit.rms_log,
        "holdout": None,
        "predictions": [],
        "warnings": fit.warnings + (boot.warnings if boot else []),
    }


def parameter_rows(fit: Fit, boot: Bootstrap | None) -> dict[str, dict[str, Any]]:
    """name, or name[arm] -> {value, low, high, unit, at_bound, identified}."""
    limits = boot.params(LEVEL) if boot else {}
    rows: dict[str, dict[str, Any]] = {}
    for parameter in fit.law.parameters:
        name, value = parameter.name, fit.params[parameter.name]
        for arm in value if isinstance(value, Mapping) else [None]:
            pick = (lambda x: x) if arm is None else (lambda x, arm=arm: x[arm])
            low, high = pick(limits[name]) if boot else (None, None)
            rows[name if arm is None else f"{name}[{arm}]"] = {
                "value": pick(value),
                "low": low,
                "high": high,
                "unit": parameter.unit,
                "at_bound": pick(fit.at_bound[name]),
                "identified": pick(fit.identified[name]),
            }
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
