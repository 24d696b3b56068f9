"""`assay compare` and `assay plan`: read, call, print; exit code 1 where the evidence does not carry an answer."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from flows.commands.fit import parse_map, show_figures, show_warnings
from flows.commands.show import paragraph, show
from flows.commands.tables import load_table
from stages.foundation.errors import InputError, RefusedError
from stages.laws import Law
from stages.laws.choosing.averaged import Prediction
from stages.laws.choosing.record import prediction_of
from stages.presentation.numbers import flops_text
from stages.run_columns.named_law import law_for
from stages.run_tables.compare_rows import (
    crossover_rows,
    decision_rows,
    shown_chances,
    shown_decisions,
    shown_flips,
    worth_rows,
)
from stages.run_tables.compare_table import compare_table
from stages.run_tables.fit_file import FitFile
from stages.run_tables.plan_table import (
    next_run_rows,
    plan_notes,
    plan_rows,
    shown_next_runs,
    shown_plan,
)

SETTLED = ("decided", "tie")


def compare_command(
    table: str,
    arm: str,
    at: list[float],
    law: str,
    pairs: list[str],
    where: str | None,
    cluster: str | None,
    n_params: float | None,
    n_draws: int,
    figures: Path | None,
    as_json: bool,
    share: str = "auto",
    baseline: str | None = None,
    in_hours: bool = False,
) -> None:
    """The winner at each budget, how sure, and where the answer flips."""
    mapping = parse_map(pairs)
    rows = load_table(table, mapping, where)
    done = compare_table(
        rows,
        str(table),
        arm=arm,
        at=at,
        law=law,
        cluster=cluster,
        n_params=n_params,
        n_draws=n_draws,
        share=share,
        baseline=baseline,
    )
    if in_hours and done.unit != "FLOPs":
        raise InputError(
            f"--flops-per-s: {table} counts budgets in {done.unit}, not in FLOPs, so hours"
            f" say nothing; give --at in {done.unit}"
        )
    worth = worth_rows(done.worth, done.unit)
    budgets, flips = decision_rows(done.decisions), crossover_rows(done.found)
    paths = []
    if figures is not None:
        from stages.presentation.figure_marks import save_all
        from stages.run_tables.compare_figures import draw_compare

        paths = save_all(draw_compare(done, mapping.get("value", "value")), figures)
    if as_json:
        searched = {"low": done.found.flops_low, "high": done.found.flops_high}
        print(
            json.dumps(
                {
                    "law": done.reason,
                    "budget_unit": done.unit,
                    "budgets": budgets,
                    "worth": worth,
                    "crossovers": flips,
                    "searched_flops": searched,
                    "warnings": done.warnings,
                    "figures": paths,
                },
                indent=2,
            )
        )
    else:
        print(paragraph(f"law: {done.reason}") + "\n")
        show(
            shown_decisions(budgets, done.unit),
            False,
            title="Best arm by budget, 90 % intervals",
        )
        for row in budgets:
            print(paragraph(f"{flops_text(row['flops'])}: {row['reason']}"))
        for row in worth:
            print(paragraph(f"worth: {row['text']}"))
        if len(budgets[0]["arms"]) > 2:
            print()
            show(
                shown_chances(budgets), False, title=f"P(best) by budget in {done.unit}"
            )
        print()
        reach = (
            f"between {flops_text(done.found.flops_low)} and"
            f" {flops_text(done.found.flops_high)} {done.unit}"
        )
        (
            show(
                shown_flips(flips, done.found, done.unit),
                False,
                title=f"Flips {reach}",
            )
            if flips
            else print(f"no flip {reach}")
        )
        show_warnings(done.warnings)
        show_figures(paths)
    if not any(d.status in SETTLED for d in done.decisions):
        raise RefusedError(
            "no budget can be decided from these runs; the reasons are above"
        )


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
        print(
            json.dumps(
                {
                    "law": boot.fit.law.name,
                    "plan": rows,
                    "next_runs": runs,
                    "warnings": notes,
                    "figures": paths,
                },
                indent=2,
            )
        )
        return
    print(f"law: {boot.fit.law.name}, fitted to {boot.fit.n_points} runs\n")
    for row in rows:
        show(
            shown_plan(row),
            False,
            title=f"Compute-optimal at {flops_text(flops)} FLOPs"
            + (f", arm {row['arm']}" if len(rows) > 1 or row["arm"] != "all" else ""),
        )
        print()
    print(paragraph(f"rule for batch and learning rate: {rows[0]['rule']}"))
    if runs:
        print()
        show(
            shown_next_runs(runs, flops),
            False,
            title=(
                "Next runs: those by which the best arm becomes surest, most per FLOP"
                " first"
                if "p_best" in runs[0]
                else "Next runs: variance of the plan's value that one run removes,"
                " most per FLOP first"
            ),
        )
    elif next_run:
        print("\nno further run is expected to tell which arm is best here")
    show_warnings(notes)
    show_figures(paths)
