"""Fit a law to a table of runs: what `assay fit` computes, from columns to the fit file, with figures if wanted."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from stages.foundation.errors import InputError
from stages.laws import multi_power
from stages.laws.choosing.averaged import Prediction, mixture
from stages.laws.choosing.bootstrap import LEVEL, Bootstrap, bootstrap
from stages.laws.choosing.choose import Choice, choose_law
from stages.laws.choosing.record import fit_record, prediction_state
from stages.laws.deciding.turning import turning_notes
from stages.laws.fitting.fit import Fit, fit_law
from stages.laws.fitting.sharing import separate
from stages.laws.fitting.variant import with_variants
from stages.laws.interface.cost import units_notes
from stages.laws.interface.fitted import Note
from stages.laws.interface.law import Law
from stages.laws.interface.table import note
from stages.run_columns.asked_mixtures import with_mixtures
from stages.run_columns.named_law import law_for
from stages.run_columns.positive import MIXTURE, positive_numbers
from stages.run_columns.schedules import schedules_of
from stages.run_columns.thinned import thinned
from stages.run_tables.candidates import (
    N_STARTS,
    arms_notes,
    candidates,
    duplicate_notes,
    numeric_rows,
    one_metric,
    repeats_notes,
    unread_notes,
)
from stages.run_tables.fit_file import (
    FitFile,
    check,
    chosen_law,
    label_columns,
    law_columns,
    predictions,
)

OF_SCHEDULES = "multi_power"


def fit_table(
    law_name: str,
    table: pl.DataFrame,
    name: str,
    *,
    holdout: pl.DataFrame | None = None,
    predict: pl.DataFrame | None = None,
    predict_name: str | None = None,
    n_draws: int = 500,
    cluster: str | None = None,
    arm: str | None = None,
    seed: int = 0,
    figures: Path | str | None = None,
    value_label: str = "value",
) -> FitFile:
    """Fit a law, or with 'auto' the law that extrapolates best, to a table whose columns carry the
    law's names; the fit file.

    name, predict_name: what error messages call the table and the rows to predict. cluster: column
    whose rows are resampled together. arm: column that names the data set of a run; what describes
    the data is then fitted for each, and the rest for all. figures: folder for PNG files.
    """
    start = time.perf_counter()
    predict_name = predict_name or name
    given = _Given(
        table, holdout=holdout, predict=predict, name=name, predict_name=predict_name
    )
    notes = given.one_metric() + duplicate_notes(given.table)
    notes += given.number_schedules(law_name)
    given.table, few = thinned(given.table, name, arm)
    notes += few
    fit, choice = _fitted(law_name, given, cluster=cluster, arm=arm, seed=seed)
    rows = law_columns(fit.law, given.table, name=name, cluster=cluster, arm=arm)
    boot, wide = _refits(
        fit,
        choice,
        rows=rows,
        auto_rows=lambda: _auto_rows(given.table, name, cluster=cluster, arm=arm),
        cluster=cluster,
        n_draws=n_draws,
        seed=seed,
    )
    fitted = fit_record(fit, boot, LEVEL)
    notes += (choice.warnings if choice else []) + fit.cost.notes()
    notes += units_notes(rows)
    notes += _derived_notes(fit, given.table)
    if choice and arm is None:
        notes += turning_notes(_auto_rows(given.table, name, cluster=cluster, arm=arm))
    if arm is None:
        notes += unread_notes(fit.law, given.design_columns())
        notes += arms_notes(given.table, cluster)
    weighed = [each.law for each, _ in choice.members] if choice else [fit.law]
    notes += repeats_notes(weighed, given.table)
    held = given.held_rows(fit, arm)
    checked = None
    if held is not None:
        # what the candidates of a choice read beside what its law reads
        more = numeric_rows(given.holdout, name, cost=fit.cost) if choice else {}
        checked = check(fit, wide, held | more)
    predicted = []
    if given.predict is not None:
        predicted = predictions(
            fit,
            wide,
            table=given.predict,
            fitted=rows,
            name=predict_name,
            arm=arm,
        )
        predicted, mixture_said = with_mixtures(predicted, given.table, name)
        notes += mixture_said
    drawn = []
    if figures is not None:
        drawn = _figures(
            fit, boot, rows=rows, held=held, value_label=value_label, folder=figures
        )
    return FitFile(
        **dict(fitted)
        | {"warnings": fitted.warnings + [Note(**each) for each in notes]},
        holdout=checked,
        predictions=predicted,
        value_label=value_label,
        choice=chosen_law(choice) if choice else None,
        figures=drawn,
        seconds=round(time.perf_counter() - start, 3),
        state=prediction_state(wide) if wide else None,
    )


class _Given:
    """The tables of one fit: runs to fit, runs held out, rows to predict; and the schedules in them."""

    def __init__(self, table, holdout, predict, name, predict_name) -> None:
        self.table, self.holdout, self.predict = table, holdout, predict
        self.name, self.predict_name = name, predict_name
        self.scheduled_law: Law | None = None

    def one_metric(self) -> list[dict[str, str]]:
        """Keep one metric in the runs; what to know about it."""
        self.table, notes = one_metric(self.table, self.name)
        if self.holdout is not None:
            self.holdout, _ = one_metric(self.holdout, self.name)
        return notes

    def number_schedules(self, law_name: str) -> list[dict[str, str]]:
        """For the law of whole curves: read its schedules from all tables and number them."""
        if law_name != OF_SCHEDULES:
            return []
        tables = [
            (table, name)
            for table, name in (
                (self.table, self.name),
                (self.holdout, self.name),
                (self.predict, self.predict_name),
            )
            if table is not None
        ]
        schedules = schedules_of(tables)
        self.scheduled_law = multi_power(schedules.rates)
        self.table = schedules.numbered(self.table)
        if self.holdout is not None:
            self.holdout = schedules.numbered(self.holdout)
        if self.predict is not None:
            self.predict = schedules.numbered(self.predict)
        return schedules.notes()

    def design_columns(self) -> dict[str, np.ndarray]:
        """The columns of sizes, shares and unique tokens as arrays (rows,)."""
        names = [c for c in self.table.columns if c.startswith(MIXTURE)]
        others = {"n_tokens_unique", "n_params"} & set(self.table.columns)
        return positive_numbers(self.table, names + sorted(others), self.name)

    def held_rows(self, fit: Fit, arm: str | None) -> dict[str, Any] | None:
        """What the law reads of the runs that are held out; None where none are."""
        if self.holdout is None:
            return None
        return law_columns(
            fit.law,
            self.holdout,
            name=self.name,
            cluster=None,
            cost=fit.cost,
            arm=arm,
        )

    def law(self, law_name: str) -> Law:
        """The law of that name for these tables."""
        if self.scheduled_law is not None:
            return self.scheduled_law
        return law_for(law_name, self.design_columns(), self.name)


def _derived_notes(fit: Fit, table: pl.DataFrame) -> list[dict[str, str]]:
    """A coded note where the law reads FLOPs that the table does not hold."""
    if "flops" not in fit.law.variable_names or "flops" in table.columns:
        return []
    return [
        note(
            "flops_6nd",
            "info",
            "the table has no column flops: compute is 6 n_params n_tokens_seen",
        )
    ]


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
    law_name: str, given: _Given, *, cluster: str | None, arm: str | None, seed: int
) -> tuple[Fit, Choice | None]:
    """The fit, and for 'auto' the choice that it comes from. Huber at 1.345 of the residuals' own noise."""
    if law_name != "auto":
        law = given.law(law_name)
        rows = law_columns(law, given.table, name=given.name, cluster=cluster, arm=arm)
        _refuse_one_arm(rows, arm, given.name)
        by_arm = separate(law) if arm else ()
        return fit_law(law, rows, by_arm=by_arm, delta=None, seed=seed), None
    rows = _auto_rows(given.table, given.name, cluster=cluster, arm=arm)
    _refuse_one_arm(rows, arm, given.name)
    laws = with_variants(candidates("auto", rows, mixtures=arm is None))
    choice = choose_law(
        laws,
        rows,
        by_arm=separate if arm else (),
        n_starts=N_STARTS,
        delta=None,
        seed=seed,
    )
    return choice.fit, choice


def _refuse_one_arm(rows: dict[str, Any], arm: str | None, name: str) -> None:
    if arm is not None and len(set(rows["arm"])) < 2:
        raise InputError(
            f"{name}: column {arm!r} holds one arm, {rows['arm'][0]!r}; leave --arm out"
        )


def _auto_rows(
    table: pl.DataFrame, name: str, *, cluster: str | None, arm: str | None
) -> dict[str, Any]:
    """Every numeric column that a law reads and the labels of clusters and arms, (rows,)."""
    return numeric_rows(table, name) | label_columns(table, name, cluster, arm)


def _refits(
    fit: Fit,
    choice: Choice | None,
    *,
    rows: dict[str, Any],
    auto_rows: Callable[[], dict[str, Any]],
    cluster: str | None,
    n_draws: int,
    seed: int,
) -> tuple[Bootstrap | None, Prediction | None]:
    """Refits of the law for its parameters, and what predictions are drawn from: the same, or for a
    choice the mixture of its candidates.
    """
    if not n_draws:
        return None, None
    options: dict[str, Any] = {
        "clusters": cluster or (),
        "n_draws": n_draws,
        "seed": seed,
    }
    if choice is None:
        boot = bootstrap(fit, rows, **options)
        return boot, boot
    mixed = mixture(choice, auto_rows(), **options)
    return mixed.chosen, mixed
