"""`assay compare` and `assay plan`: read, call, print; exit code 1 where the evidence does not carry an answer."""

import json
from pathlib import Path

from flows.law_commands import parse_map, show_warnings
from flows.show import show
from flows.tables import load_table
from stages.compare_table import compare_table, crossover_rows, decision_rows, next_run_rows, plan_rows
from stages.errors import InputError, RefusedError
from stages.files import read_json
from stages.laws import get_law
from stages.laws.bootstrap import Bootstrap
from stages.laws.record import from_state

SETTLED = ("decided", "tie")


def compare_command(
    table: str, arm: str, at: list[float], law: str, pairs: list[str], where: str | None, cluster: str | None, n_params: float | None, n_draws: int, as_json: bool, share: str = "auto"
) -> None:
    """The winner at each budget, how sure, and where the answer flips."""
    rows = load_table(table, parse_map(pairs), where)
    decisions, found, reason, warnings = compare_table(rows, str(table), arm=arm, at=at, law=law, cluster=cluster, n_params=n_params, n_draws=n_draws, share=share)
    shown, flips = decision_rows(decisions), crossover_rows(found)
    if as_json:
        print(json.dumps({"law": reason, "budgets": shown, "crossovers": flips, "warnings": warnings}, indent=2))
    else:
        print(f"law: {reason}\n")
        show([{key: row[key] for key in row if key != "reason"} for row in shown], False, title="Best arm by budget, 90 % intervals")
        for row in shown:
            print(f"{row['flops']} FLOPs: {row['reason']}")
        print()
        show(flips, False, title=f"Flips between {found.flops_low:.1e} and {found.flops_high:.1e} FLOPs") if flips else print("no flip in the range searched")
        show_warnings(warnings)
    if not any(d.status in SETTLED for d in decisions):
        raise RefusedError("no budget can be decided from these runs; the reasons are above")


def stored_fit(file: Path) -> Bootstrap:
    """The fit and its refits out of a file that `assay fit --out` wrote."""
    if not file.is_file():
        raise InputError(f"{file}: no such file; write one with `assay fit LAW TABLE --out {file}`")
    try:
        state = read_json(file)["state"]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        raise InputError(f"{file}: holds no fit with its refits; write it with `assay fit LAW TABLE --out {file}` (bootstrap above 0)") from None
    return from_state(state, get_law(state["law"]))


def plan_command(law: Path, flops: float, unique_tokens: float | None, next_run: bool, as_json: bool) -> None:
    """Compute-optimal parameters, tokens and epochs; with --next-run the most telling proxy runs."""
    boot = stored_fit(law)
    rows = plan_rows(boot, flops, unique_tokens)
    runs = next_run_rows(boot, flops, unique_tokens) if next_run else []
    if as_json:
        print(json.dumps({"plan": rows, "next_runs": runs}, indent=2))
        return
    show(rows, False, title=f"Compute-optimal at {flops:.2e} FLOPs, 90 % intervals")
    if runs:
        print()
        show(runs, False, title="Next runs by variance removed per FLOP, best first")
