"""`assay plan`: read the fit that was stored, call, print."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from flows.commands.fit import show_figures, show_warnings
from flows.commands.show import paragraph, show
from stages.foundation.errors import InputError
from stages.laws import Law
from stages.laws.choosing.averaged import Prediction
from stages.laws.choosing.record import prediction_of
from stages.presentation.numbers import flops_text
from stages.run_columns.named_law import law_for
from stages.run_tables.fit_file import FitFile
from stages.run_tables.plan_table import (
    next_run_rows,
    plan_notes,
    plan_rows,
    shown_next_runs,
    shown_plan,
)


def plan_command(
    law: Path,
    flops: float,
    unique_tokens: float | None,
    next_run: bool,
    figures: Path | None,
    as_json: bool,
) -> None:
    """Compute-optimal parameters, tokens and epochs; with --next-run the most telling proxy runs."""
    boot, file = stored_fit(law)
    rows = plan_rows(boot, flops, unique_tokens)
    runs = next_run_rows(boot, flops, unique_tokens) if next_run else []
    of_fit = [warning.model_dump() for warning in file.warnings]
    notes = of_fit + plan_notes(boot, rows, unique_tokens)
    notes, paths = [n for i, n in enumerate(notes) if n not in notes[:i]], []
    if figures is not None:
        from stages.presentation.figure_marks import save_all
        from stages.run_tables.plan_figures import draw_plan

        paths = save_all(
            draw_plan(
                boot, rows, unique_tokens=unique_tokens, value_label=file.value_label
            ),
            figures,
        )
    if as_json:
        found = {
            "law": boot.fit.law.name,
            "plan": rows,
            "next_runs": runs,
            "warnings": notes,
            "figures": paths,
        }
        print(json.dumps(found, indent=2))
        return
    print(f"law: {boot.fit.law.name}, fitted to {boot.fit.n_points} runs\n")
    _show_plan(rows, flops)
    if runs:
        _show_runs(runs, flops)
    elif next_run:
        print("\nno further run is expected to tell which arm is best here")
    show_warnings(notes)
    show_figures(paths)


def _show_plan(rows: list[dict[str, Any]], flops: float) -> None:
    """The plan of every arm, and the rule that they share."""
    for row in rows:
        named = len(rows) > 1 or row["arm"] != "all"
        title = f"Compute-optimal at {flops_text(flops)} FLOPs"
        title += f", arm {row['arm']}" if named else ""
        show(shown_plan(row), False, title=title)
        print()
    print(paragraph(f"rule for batch and learning rate: {rows[0]['rule']}"))


def _show_runs(runs: list[dict[str, Any]], flops: float) -> None:
    title = (
        "Next runs: those by which the best arm becomes surest, most per FLOP first"
        if "p_best" in runs[0]
        else "Next runs: variance of the plan's value that one run removes, most per FLOP"
        " first"
    )
    print()
    show(shown_next_runs(runs, flops), False, title=title)


def _stored_law(state: dict) -> Callable[[str], Law]:
    """The law of a name for the columns that a stored fit, or any law of its mixture, has."""
    columns = {
        name: np.array(column)
        for each in state.get("members", [state])
        for name, column in each["data"]["columns"].items()
    }
    return lambda name: law_for(name, columns)


def stored_fit(file: Path) -> tuple[Prediction, FitFile]:
    """The fit and its refits out of a file that `assay fit --out` wrote, and the file."""
    if not file.is_file():
        raise InputError(
            f"{file}: no such file; write one with `assay fit LAW TABLE --out {file}`"
        )
    try:
        record = FitFile.read(file)
        state = record.state or {}
        named = _stored_law(state)
        named(state["law"])
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        raise InputError(
            f"{file}: holds no fit with its refits; write it with `assay fit LAW TABLE"
            f" --out {file}` (bootstrap above 0)"
        ) from None
    try:
        return prediction_of(state, named), record
    except (KeyError, TypeError, ValueError) as problem:
        raise InputError(
            f"{file}: its stored fit cannot be read ({problem!r:.80}); write it again"
            f" with `assay fit LAW TABLE --out {file}`"
        ) from None
