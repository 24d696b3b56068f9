"""`assay compare`: read, call, print; exit code 1 where the evidence does not carry an answer."""

import json
from pathlib import Path
from typing import Any

from flows.commands.fit import parse_map, show_figures, show_warnings
from flows.commands.show import paragraph, show
from flows.commands.tables import load_table
from stages.foundation.errors import InputError, RefusedError
from stages.presentation.numbers import flops_text
from stages.run_tables.compare_rows import (
    crossover_rows,
    decision_rows,
    shown_chances,
    shown_decisions,
    shown_flips,
    worth_rows,
)
from stages.run_tables.compare_table import Comparison, compare_table

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
    budgets = decision_rows(done.decisions)
    worth, flips = worth_rows(done.worth, done.unit), crossover_rows(done.found)
    paths = []
    if figures is not None:
        from stages.presentation.figure_marks import save_all
        from stages.run_tables.compare_figures import draw_compare

        paths = save_all(draw_compare(done, mapping.get("value", "value")), figures)
    if as_json:
        found = {
            "law": done.reason,
            "budget_unit": done.unit,
            "budgets": budgets,
            "worth": worth,
            "crossovers": flips,
            "searched_flops": {
                "low": done.found.flops_low,
                "high": done.found.flops_high,
            },
            "warnings": done.warnings,
            "figures": paths,
        }
        print(json.dumps(found, indent=2))
    else:
        _show_budgets(done, budgets, worth)
        _show_flips(done, flips)
        show_warnings(done.warnings)
        show_figures(paths)
    if not any(d.status in SETTLED for d in done.decisions):
        raise RefusedError(
            "no budget can be decided from these runs; the reasons are above"
        )


def _show_budgets(
    done: Comparison, budgets: list[dict[str, Any]], worth: list[dict[str, Any]]
) -> None:
    """The law, the best arm of every budget with its reason, and every arm's chance where there are more than two."""
    print(paragraph(f"law: {done.reason}") + "\n")
    rows = shown_decisions(budgets, done.unit)
    show(rows, False, title="Best arm by budget, 90 % intervals")
    for row in budgets:
        print(paragraph(f"{flops_text(row['flops'])}: {row['reason']}"))
    for row in worth:
        print(paragraph(f"worth: {row['text']}"))
    if len(budgets[0]["arms"]) > 2:
        print()
        title = f"P(best) by budget in {done.unit}"
        show(shown_chances(budgets), False, title=title)


def _show_flips(done: Comparison, flips: list[dict[str, Any]]) -> None:
    """Where the answer flips, or how far that was looked for."""
    low, high = flops_text(done.found.flops_low), flops_text(done.found.flops_high)
    reach = f"between {low} and {high} {done.unit}"
    print()
    if not flips:
        print(f"no flip {reach}")
        return
    show(shown_flips(flips, done.found, done.unit), False, title=f"Flips {reach}")
