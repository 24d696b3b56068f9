"""A fit as data: the JSON of `assay fit`, of the fit stage and of the page's law table."""

import time
from typing import Any

import numpy as np
import polars as pl

from stages.candidates import N_CUTS, N_DRAWS, N_STARTS, candidates, duplicate_notes, numeric_rows, positive_numbers
from stages.errors import InputError
from stages.laws import get_law
from stages.laws.bootstrap import Bootstrap, bootstrap
from stages.laws.choose import Choice, choose_law
from stages.laws.fit import Fit, fit_law
from stages.laws.law import Law
from stages.laws.mixture import Mixture, mixture
from stages.laws.record import fit_record, to_state
from stages.laws.variant import with_variants

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
    law_name: str,
    table: pl.DataFrame,
    name: str,
    *,
    holdout: pl.DataFrame | None = None,
    predict: pl.DataFrame | None = None,
    n_draws: int = 500,
    cluster: str | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Fit a law, or with 'auto' the law that extrapolates best, to a table whose columns carry the law's names; the fit file as a dict.

    name: what error messages call the table. cluster: column whose rows are resampled together.
    """
    start = time.perf_counter()
    fit, choice = _fitted(law_name, table, name, cluster, seed)
    law = fit.law
    rows = law_columns(law, table, name, cluster)
    boot, wide = refits(fit, choice, table, rows, name, cluster, n_draws, seed)
    file = fit_json(fit, boot) | {"choice": choice_record(choice)}
    file["warnings"] = file["warnings"] + (choice.warnings if choice else []) + duplicate_notes(rows)
    if holdout is not None:
        file["holdout"] = check(fit, wide, law_columns(law, holdout, name, None))
    if predict is not None:
        file["predictions"] = predictions(fit, wide, predict, rows, name)
    file["seconds"] = round(time.perf_counter() - start, 3)
    return file | ({"state": to_state(boot)} if boot else {})


def _fitted(law_name: str, table: pl.DataFrame, name: str, cluster: str | None, seed: int) -> tuple[Fit, Choice | None]:
    """The fit, and for 'auto' the choice that it comes from. Huber at 1.345 of the residuals' own noise."""
    if law_name != "auto":
        law = get_law(law_name)
        return fit_law(law, law_columns(law, table, name, cluster), delta=None, seed=seed), None
    rows = auto_rows(table, name, cluster)
    laws = with_variants(candidates("auto", rows))
    choice = choose_law(laws, rows, by_arm=(), trim=True, n_cuts=N_CUTS, n_starts=N_STARTS, n_draws=N_DRAWS, clusters=cluster or (), delta=None, seed=seed)
    return choice.fit, choice


def auto_rows(table: pl.DataFrame, name: str, cluster: str | None) -> dict[str, np.ndarray]:
    """Every numeric column that a law reads and the cluster labels, (rows,)."""
    rows = numeric_rows(table, name)
    return rows if cluster is None else rows | {cluster: cluster_labels(table, cluster, name)}


def refits(
    fit: Fit, choice: Choice | None, table: pl.DataFrame, rows: dict[str, np.ndarray], name: str, cluster: str | None, n_draws: int, seed: int
) -> tuple[Bootstrap | None, Bootstrap | Mixture | None]:
    """Refits of the law for its parameters, and what predictions are drawn from: the same, or for a choice the mixture of its candidates."""
    if not n_draws:
        return None, None
    if choice is None:
        boot = bootstrap(fit, rows, clusters=cluster or (), n_draws=n_draws, seed=seed)
        return boot, boot
    mixed = mixture(choice, auto_rows(table, name, cluster), clusters=cluster or (), n_draws=n_draws, seed=seed)
    return mixed.chosen, mixed


def choice_record(choice: Choice | None) -> dict[str, Any] | None:
    """Which candidate was taken, why, and what the others say, as data."""
    if choice is None:
        return None
    ranking = [{key: value for key, value in vars(score).items() if key != "errors"} for score in choice.ranking]
    return {"variant": choice.variant.name, "reason": choice.reason, "ranking": ranking, "refused": choice.refused, "stretch": choice.stretch,
            "mixture": [[fit.law.name, share] for fit, share in choice.members]}  # fmt: skip


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


def check(fit: Fit, boot: Bootstrap | Mixture | None, rows: dict[str, np.ndarray], arm: str | None = None) -> dict[str, Any]:
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
    fit: Fit, boot: Bootstrap | Mixture | None, table: pl.DataFrame, fitted: dict[str, np.ndarray], name: str
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
