"""A fit as data: the JSON of `assay fit`, of the fit stage and of the page's law table."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from stages.candidates import N_CUTS, N_DRAWS, N_STARTS, candidates, duplicate_notes, numeric_rows, positive_numbers
from stages.errors import InputError
from stages.laws import get_law
from stages.laws.bootstrap import Bootstrap, bootstrap
from stages.laws.choose import choose_law
from stages.laws.fit import Fit, fit_law
from stages.laws.law import Law
from stages.laws.record import fit_record, to_state
from stages.laws.variant import with_variants

LEVEL = 0.9


def fit_table(
    law_name: str,
    table: pl.DataFrame,
    name: str,
    *,
    holdout: pl.DataFrame | None = None,
    predict: pl.DataFrame | None = None,
    n_draws: int = 500,
    cluster: str | None = None,
    seed: int = 0,
    figures: Path | str | None = None,
    value_label: str = "value",
) -> dict[str, Any]:
    """Fit a law, or with 'auto' the law that extrapolates best, to a table whose columns carry the law's names; the fit file as a dict.

    name: what error messages call the table. cluster: column whose rows are resampled together. figures: folder for PNG files.
    """
    start = time.perf_counter()
    fit, choice = _fitted(law_name, table, name, cluster, seed)
    law = fit.law
    rows = law_columns(law, table, name, cluster)
    boot = bootstrap(fit, rows, clusters=cluster or (), n_draws=n_draws, seed=seed) if n_draws else None
    file = fit_json(fit, boot) | {"value_label": value_label, "choice": choice}
    file["warnings"] = file["warnings"] + (choice["warnings"] if choice else []) + duplicate_notes(rows)
    held = None if holdout is None else law_columns(law, holdout, name, None)
    if held is not None:
        file["holdout"] = check(fit, boot, held)
    if predict is not None:
        file["predictions"] = predictions(fit, boot, predict, rows, name)
    file["figures"] = [] if figures is None else _figures(fit, boot, rows, held, value_label, figures)
    file["seconds"] = round(time.perf_counter() - start, 3)
    return file | ({"state": to_state(boot)} if boot else {})


def _figures(fit: Fit, boot: Bootstrap | None, rows: dict, held: dict | None, value_label: str, folder: Path | str) -> list[str]:
    """Draw and write the figures; the paths."""
    from stages.figure_marks import save_all  # here, because matplotlib takes half a second to import
    from stages.fit_figures import draw_fit

    return save_all(draw_fit(fit, boot, rows, held, value_label), folder)


def _fitted(law_name: str, table: pl.DataFrame, name: str, cluster: str | None, seed: int) -> tuple[Fit, dict[str, Any] | None]:
    """The fit, and for 'auto' which variant it is and why. Huber at 1.345 of the residuals' own noise."""
    if law_name != "auto":
        law = get_law(law_name)
        return fit_law(law, law_columns(law, table, name, cluster), delta=None, seed=seed), None
    rows = numeric_rows(table, name)
    if cluster is not None:
        rows[cluster] = cluster_labels(table, cluster, name)
    laws = with_variants(candidates("auto", rows))
    choice = choose_law(laws, rows, by_arm=(), trim=True, n_cuts=N_CUTS, n_starts=N_STARTS, n_draws=N_DRAWS, clusters=cluster or (), delta=None, seed=seed)
    ranking = [{key: value for key, value in vars(score).items() if key != "errors"} for score in choice.ranking]
    return choice.fit, {"variant": choice.variant.name, "reason": choice.reason, "ranking": ranking, "refused": choice.refused, "warnings": choice.warnings}


def cluster_labels(table: pl.DataFrame, cluster: str, name: str) -> np.ndarray:
    """The cluster of each row as text, (rows,)."""
    if cluster not in table.columns:
        raise InputError(f"{name}: no column {cluster!r} to cluster by; columns are {', '.join(table.columns[:20])}")
    return table[cluster].cast(pl.String).to_numpy()


def law_columns(law: Law, table: pl.DataFrame, name: str, cluster: str | None, *, observed: bool = True) -> dict[str, np.ndarray]:
    """The law's variables, the values and the cluster labels as arrays (rows,)."""
    wanted = [*law.variable_names, *(["value"] if observed else [])]
    columns = positive_numbers(table, wanted, name)
    if cluster is not None:
        columns[cluster] = cluster_labels(table, cluster, name)
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
