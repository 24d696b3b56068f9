"""Which data set wins at a budget, on anybody's table of runs: what `assay compare` computes."""

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from stages.foundation.errors import InputError
from stages.laws.choosing.averaged import Prediction
from stages.laws.choosing.bootstrap import LEVEL
from stages.laws.deciding.compare import Decision, compare
from stages.laws.deciding.crossover import Crossovers, crossovers
from stages.laws.deciding.objections import withheld
from stages.laws.deciding.path import LEAST_VALUE, ArmColumns, path_cost
from stages.laws.deciding.worth import Worth, worths
from stages.laws.interface.cost import Cost, Unit, units_notes
from stages.laws.interface.table import note, run_flops
from stages.presentation.numbers import flops_text
from stages.run_columns.thinned import thinned
from stages.run_tables.arm_fits import fitted_arms
from stages.run_tables.candidates import (
    candidates,
    duplicate_notes,
    numeric_rows,
    one_metric,
)
from stages.run_tables.fit_file import labels
from stages.runs.table import LARGEST

SEARCH_DECADES = 1.0
MAX_SPREAD = (
    0.2  # assumed: up to here rounding of columns explains it, and the fit says so
)
SAME_SIZE = 0.1  # assumed: sizes counted with and without embeddings differ by less
FAR_DECADES = 1.0  # assumed: as in compare, further than this is extrapolation
# names of an arm that keeps everything, in lower case and without signs between the words
WHOLE = (
    "unfiltered",
    "keep100",
    "keep everything",
    "everything",
    "keep all",
    "all",
    "no filter",
    "full",
    "raw",
)
# assumed: a rank correlation of value with compute that no loss has in half of the arms
MIN_TO_SEE_A_RISE, RISING = (5, 0.5)


def arm_rows(
    table: pl.DataFrame, arm: str, name: str, cluster: str | None
) -> dict[str, np.ndarray]:
    """The numeric columns that any law reads, the arm and the cluster, as arrays (rows,)."""
    arms = labels(table, arm, name, "to tell the arms apart")
    clusters = {cluster: labels(table, cluster, name)} if cluster else {}
    return numeric_rows(table, name) | {"arm": arms} | clusters


def arm_columns(rows: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """What each arm offers: its unique tokens (the most that any of its runs saw) and its mean shares."""
    columns: dict[str, dict[str, float]] = {}
    for arm in sorted(set(rows["arm"])):
        own = rows["arm"] == arm
        columns[arm] = {
            key: float(value[own].max())
            for key, value in rows.items()
            if key == "n_tokens_unique" or key.startswith("unique_")
        }
        columns[arm] |= {
            key: float(value[own].mean())
            for key, value in rows.items()
            if key.startswith("share_")
        }
    return columns


def baseline_arm(arms: ArmColumns, name: str, named: str | None = None) -> str | None:
    """The arm that keeps everything: the one named, else by its own name; None where no name says so.

    >>> baseline_arm({"strict": {}, "keep_100": {}}, "runs.csv"), baseline_arm({"a": {}}, "runs.csv")
    ('keep_100', None)
    """
    if named is not None and named not in arms:
        raise InputError(
            f"{name}: --baseline {named}: no such arm; arms are {', '.join(arms)}"
        )
    if named is not None:
        return named
    plain = {
        re.sub(r"[\W_]+", " ", arm).strip().lower().replace("keep 100", "keep100"): arm
        for arm in arms
    }
    return next((plain[word] for word in WHOLE if word in plain), None)


@dataclass(frozen=True)
class Comparison:
    """All that `assay compare` found: decisions and crossovers, what the best arms are worth, why this
    law, coded warnings, and what the figures draw.
    """

    decisions: list[Decision]
    worth: list[Worth]
    found: Crossovers
    unit: Unit
    reason: str
    warnings: list[dict[str, str]]
    boot: Prediction
    rows: dict[str, np.ndarray]
    columns: dict[str, dict[str, float]]
    options: dict[str, Any]


def compare_table(
    table: pl.DataFrame,
    name: str,
    *,
    arm: str,
    at: list[float],
    law: str,
    cluster: str | None,
    n_params: float | None,
    n_draws: int,
    share: str = "auto",
    baseline: str | None = None,
) -> Comparison:
    """The decision at each budget, the crossovers up to ten times the largest run, why this law,
    and the coded warnings.
    """
    _refuse_budgets(at)
    if not len(table):
        raise InputError(f"{name}: no rows to compare; change --where")
    table, metric_notes = one_metric(table, name)
    table, few = thinned(table, name, arm)
    rows = arm_rows(table, arm, name=name, cluster=cluster)
    cost = path_cost(Cost.of(rows), n_params)
    if cost != Cost.of(rows):  # tokens alone, and the caller names the size
        rows["flops"] = cost.flops(n_params, rows["n_tokens_seen"])
    _refuse_two_costs(cost, name)
    _refuse_one_arm(rows, arm, name)
    # refuses a table without the law's variables before anything is computed
    candidates(law, rows)
    _refuse_scores(rows, name)
    columns = arm_columns(rows)
    _refuse_another_size(_only_size(rows), n_params, name)
    whole = baseline_arm(columns, name, baseline)
    if share == "all":
        _refuse_nothing_apart(columns, name)
    fitted = fitted_arms(law, rows, cluster=cluster, n_draws=n_draws, share=share)
    boot, options = fitted.boot, _sizes(rows, n_params)
    flops = run_flops(rows)
    by_law = compare(
        boot,
        at,
        columns,
        level=LEVEL,
        runner_up=fitted.runner_up,
        own_exponents=fitted.own_exponents,
        **options,
    )
    decisions = [
        withheld(_within_reach(each, rows, cost.unit), rows, columns) for each in by_law
    ]
    found = crossovers(
        boot,
        columns,
        flops_low=min(float(flops.min()), min(at)),
        flops_high=max(float(flops.max()) * 10**SEARCH_DECADES, max(at)),
        level=LEVEL,
        **options,
    )
    worth = worths(
        boot,
        decisions,
        columns,
        baseline=whole,
        found=found,
        level=LEVEL,
        **options,
    )
    return Comparison(
        decisions,
        worth=worth,
        found=found,
        unit=cost.unit,
        reason=fitted.reason,
        warnings=[
            *boot.fit.warnings,
            *boot.warnings,
            *metric_notes,
            *few,
            *cost.notes(),
            *units_notes(rows),
            *duplicate_notes(table),
            *short_arm_notes(rows, at, cost.unit),
        ],
        boot=boot,
        rows=rows,
        columns=columns,
        options=options,
    )


def _sizes(rows: dict[str, np.ndarray], n_params: float | None) -> dict[str, Any]:
    """At which model size arms are compared: the one asked for or the only one, else the best within the measured."""
    if n_params is not None or "n_params" not in rows:
        return {"n_params": n_params}
    if (only := _only_size(rows)) is not None:
        return {"n_params": only}
    low, high = float(rows["n_params"].min()), float(rows["n_params"].max())
    return {"n_params": None, "n_params_range": (low, high)}


def _refuse_budgets(at: list[float]) -> None:
    bad = next((budget for budget in at if not 1 <= budget <= LARGEST), None)
    if bad is not None:
        raise InputError(
            f"--at {bad:g}: a budget is a number of FLOPs of 1 to {LARGEST:g}, for example --at"
            " 1e21, or of tokens where the table has no FLOPs and no sizes"
        )


def _refuse_one_arm(rows: dict[str, np.ndarray], arm: str, name: str) -> None:
    if len(set(rows["arm"])) < 2:
        raise InputError(
            f"{name}: column {arm!r} holds one arm, {rows['arm'][0]!r}; a comparison"
            " needs two"
        )


def _refuse_another_size(
    only_size: float | None, n_params: float | None, name: str
) -> None:
    if only_size and n_params and abs(n_params / only_size - 1) > SAME_SIZE:
        raise InputError(
            f"{name}: --n-params {n_params:g}: all runs have {only_size:g} parameters, so"
            " nothing says what another size does; leave it out, or add runs of it"
        )


def _refuse_nothing_apart(columns: ArmColumns, name: str) -> None:
    """Arms that share every parameter differ by their columns alone."""
    if len({tuple(own.items()) for own in columns.values()}) == 1:
        raise InputError(
            f"{name}: --share all leaves nothing to tell the arms apart, since no"
            " column of unique tokens or shares differs; share less"
        )


def _only_size(rows: dict[str, np.ndarray]) -> float | None:
    """The model size of all runs; None where they have several or none."""
    sizes = np.unique(rows.get("n_params", []))
    return float(sizes[0]) if sizes.size == 1 else None


def _refuse_two_costs(cost: Cost, name: str) -> None:
    """Runs of one size that pay twice for a token leave no way from a budget to tokens."""
    if cost.spread > MAX_SPREAD:
        raise InputError(
            f"{name}: flops / (n_params n_tokens_seen) of runs of one size differs by up"
            f" to {cost.spread:.0%} from {min(cost.factors):.3g} to"
            f" {max(cost.factors):.3g}, so a budget does not say how many tokens it"
            " buys; map n_params, n_tokens_seen and flops to columns that count the"
            " same work, or compare with --where runs of one kind"
        )


def _within_reach(
    decision: Decision, rows: dict[str, np.ndarray], unit: Unit
) -> Decision:
    """The decision, or `extrapolating` where one of its two arms was measured far below the budget,
    whatever the others' runs, or where the law has fallen to nothing.
    """
    gone = [arm for arm, value in decision.values.items() if value[0] <= LEAST_VALUE]
    if gone:
        return replace(
            decision,
            status="extrapolating",
            reason=(
                f"the law falls to 0 for {', '.join(gone)} before that budget, where no"
                " loss or error goes: it holds only nearer to the runs"
            ),
        )
    flops = run_flops(rows)
    for arm in (decision.best, decision.second):
        own = float(flops[rows["arm"] == arm].max()) if arm is not None else np.inf
        beyond = float(np.log10(decision.flops / own))
        if decision.status in ("decided", "tie") and beyond > FAR_DECADES:
            return replace(
                decision,
                status="extrapolating",
                reason=(
                    f"{arm} was measured only up to {flops_text(own)} {unit},"
                    f" {beyond:.1f} decades below the budget"
                ),
            )
    return decision


def short_arm_notes(
    rows: dict[str, np.ndarray], at: list[float], unit: Unit = "FLOPs"
) -> list[dict[str, str]]:
    """A coded warning where an arm was measured far below a budget that other arms come near: its
    curve there is the law alone.
    """
    flops = run_flops(rows)
    reach = {
        arm: float(flops[rows["arm"] == arm].max()) for arm in sorted(set(rows["arm"]))
    }
    near = min(max(at), max(reach.values()))
    short = [arm for arm, own in reach.items() if np.log10(near / own) > FAR_DECADES]
    if not short:
        return []
    far = "; ".join(f"{arm} up to {flops_text(reach[arm])}" for arm in short)
    return [
        note(
            "arm_extrapolated",
            "warning",
            f"measured only {far} {unit}, over {10**FAR_DECADES:.0f} times below the"
            " budgets: what is said of it there is the law alone; train it further or"
            " leave it out (--where)",
        )
    ]


def _refuse_scores(rows: dict[str, np.ndarray], name: str) -> None:
    """A lower value counts as better; a score that grows with compute would name the worst arm."""
    flops = run_flops(rows)
    own = [rows["arm"] == arm for arm in sorted(set(rows["arm"]))]
    rises = [
        np.corrcoef(
            np.argsort(np.argsort(flops[mask])),
            np.argsort(np.argsort(rows["value"][mask])),
        )[0, 1]
        for mask in own
        if mask.sum() >= MIN_TO_SEE_A_RISE
    ]
    if rises and float(np.median(rises)) > RISING:
        raise InputError(
            f"{name}: value grows with compute, as a score does, and a lower value"
            " counts as better here; map a loss or an error (1 - score)"
        )
