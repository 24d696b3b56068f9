"""A law on anybody's table of runs: what `assay fit` computes, from columns to the fit file, with figures if wanted."""

import time
from pathlib import Path
from typing import Any

import polars as pl

from stages.laws import get_law
from stages.laws.choosing.averaged import Mixture, mixture
from stages.laws.choosing.bootstrap import LEVEL, Bootstrap, bootstrap
from stages.laws.choosing.choose import Choice, choose_law
from stages.laws.choosing.record import fit_record, prediction_state
from stages.laws.fitting.fit import Fit, fit_law
from stages.laws.fitting.variant import with_variants
from stages.laws.interface.fitted import Note
from stages.run_tables.candidates import (
    N_STARTS,
    candidates,
    duplicate_notes,
    numeric_rows,
)
from stages.run_tables.fit_file import (
    FitFile,
    check,
    chosen_law,
    cluster_labels,
    law_columns,
    predictions,
)


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
) -> FitFile:
    """Fit a law, or with 'auto' the law that extrapolates best, to a table whose columns carry the
    law's names; the fit file.

    name: what error messages call the table. cluster: column whose rows are resampled together.
    figures: folder for PNG files.
    """
    start = time.perf_counter()
    fit, choice = _fitted(law_name, table, name=name, cluster=cluster, seed=seed)
    law = fit.law
    rows = law_columns(law, table, name=name, cluster=cluster)
    boot, wide = _refits(
        fit,
        choice,
        table=table,
        rows=rows,
        name=name,
        cluster=cluster,
        n_draws=n_draws,
        seed=seed,
    )
    fitted = fit_record(fit, boot, LEVEL)
    chosen_notes = choice.warnings if choice else []
    notes = [Note(**note) for note in chosen_notes + duplicate_notes(rows)]
    held = (
        None if holdout is None else law_columns(law, holdout, name=name, cluster=None)
    )
    checked = None
    if held is not None:
        unseen = numeric_rows(holdout, name) if choice else held
        checked = check(fit, wide, unseen)
    predicted = (
        []
        if predict is None
        else predictions(fit, wide, table=predict, fitted=rows, name=name)
    )
    drawn = (
        []
        if figures is None
        else _figures(
            fit, boot, rows=rows, held=held, value_label=value_label, folder=figures
        )
    )
    return FitFile(
        **dict(fitted) | {"warnings": fitted.warnings + notes},
        holdout=checked,
        predictions=predicted,
        value_label=value_label,
        choice=chosen_law(choice) if choice else None,
        figures=drawn,
        seconds=round(time.perf_counter() - start, 3),
        state=prediction_state(wide) if wide else None,
    )


def _figures(
    fit: Fit,
    boot: Bootstrap | None,
    rows: dict,
    held: dict | None,
    value_label: str,
    folder: Path | str,
) -> list[str]:
    """Draw and write the figures; the paths."""
    from stages.presentation.figure_marks import save_all
    from stages.run_tables.fit_figures import draw_fit

    return save_all(
        draw_fit(fit, boot, runs=rows, held=held, value_label=value_label), folder
    )


def _fitted(
    law_name: str, table: pl.DataFrame, name: str, cluster: str | None, seed: int
) -> tuple[Fit, Choice | None]:
    """The fit, and for 'auto' the choice that it comes from. Huber at 1.345 of the residuals' own noise."""
    if law_name != "auto":
        law = get_law(law_name)
        return (
            fit_law(
                law,
                law_columns(law, table, name=name, cluster=cluster),
                delta=None,
                seed=seed,
            ),
            None,
        )
    rows = _auto_rows(table, name, cluster)
    laws = with_variants(candidates("auto", rows))
    choice = choose_law(laws, rows, by_arm=(), n_starts=N_STARTS, delta=None, seed=seed)
    return choice.fit, choice


def _auto_rows(table: pl.DataFrame, name: str, cluster: str | None) -> dict[str, Any]:
    """Every numeric column that a law reads and the cluster labels, (rows,)."""
    rows = numeric_rows(table, name)
    return (
        rows
        if cluster is None
        else rows | {cluster: cluster_labels(table, cluster, name)}
    )


def _refits(
    fit, choice, table, rows, name, cluster, n_draws, seed
) -> tuple[Bootstrap | None, Bootstrap | Mixture | None]:
    """Refits of the law for its parameters, and what predictions are drawn from: the same, or for a
    choice the mixture of its candidates.
    """
    if not n_draws:
        return None, None
    options = {"clusters": cluster or (), "n_draws": n_draws, "seed": seed}
    if choice is None:
        boot = bootstrap(fit, rows, **options)
        return boot, boot
    mixed = mixture(choice, _auto_rows(table, name, cluster), **options)
    return mixed.chosen, mixed
