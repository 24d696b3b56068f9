"""What to train for a budget, and what to run next: what `assay plan` computes from a fit file.

Input: a stored fit, a budget, the unique tokens there are. Output: flat records for JSON, tables for a person, coded
warnings. Cost: under a second of processor time for 500 draws (measured).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stages.foundation.errors import InputError
from stages.foundation.one_line import told_apart
from stages.laws.choosing.averaged import Prediction
from stages.laws.choosing.bootstrap import residual_noise
from stages.laws.deciding import advisor
from stages.laws.deciding.own_minimum import contradiction, own_minimum, widened
from stages.laws.deciding.path import arm_path, fitted_budgets, measured_flops
from stages.laws.deciding.plan import (
    Allocation,
    next_runs,
    optimal_allocation,
    predictions,
)
from stages.laws.interface.table import note
from stages.laws.schedules.step_law import published_training
from stages.presentation.numbers import flops_text
from stages.presentation.si import si

RULE = (
    "step law, arXiv 2503.04715: AdamW, cosine to a fixed 1e-5, n_params without"
    " embeddings"
)
FREE_REPEATS = 4.0  # cited: up to four epochs are worth almost as much as new tokens, arXiv 2305.16264
FAR_DECADES = 1.0  # as in compare: further than this above the largest run a budget counts as extrapolated
N_NEXT = 5
RUN = ("arm", "n_params", "n_tokens_seen")  # what names a run


def check_law(boot: Prediction, unique_tokens: float | None) -> None:
    """Refuse what cannot be planned with, in one line."""
    law = boot.fit.law
    if (
        "n_params" not in law.variable_names
        or "n_tokens_seen" not in law.variable_names
    ):
        raise InputError(
            f"law '{law.name}' reads {', '.join(law.variable_names)}: a plan needs a"
            " law of n_params and n_tokens_seen, such as chinchilla or"
            " data_constrained"
        )
    needed = [
        v
        for v in law.variable_names
        if v not in ("n_params", "n_tokens_seen", "n_tokens_unique", "flops")
    ]
    if needed:
        raise InputError(
            f"law '{law.name}' also reads {', '.join(needed)}, which a budget does not"
            " give; fit a law without it"
        )
    if "n_tokens_unique" in law.variable_names and unique_tokens is None:
        raise InputError(
            f"law '{law.name}' counts repeats: say how many different tokens there are"
            " with --unique-tokens"
        )


def plan_rows(
    boot: Prediction, flops: float, unique_tokens: float | None
) -> list[dict[str, Any]]:
    """Compute-optimal size, tokens and epochs of each arm of a stored fit, with batch and learning rate."""
    check_law(boot, unique_tokens)
    return [
        _row_of(boot, flops, arm, unique_tokens) for arm in boot.fit.arms or ("all",)
    ]


def _row_of(
    boot: Prediction, flops: float, arm: str, unique_tokens: float | None
) -> dict[str, Any]:
    """One arm's plan; where its runs near the budget are lowest elsewhere, with intervals that reach there."""
    plan = optimal_allocation(boot, flops, arm=arm, n_tokens_unique=unique_tokens)
    columns = {} if unique_tokens is None else {"n_tokens_unique": unique_tokens}
    own = own_minimum(boot, flops, arm, columns)
    said = contradiction(own, plan) if own else None
    if own and said:
        plan = widened(plan, own, boot.fit.cost)
    row = plan_row(plan, arm, unique_tokens)
    return row | {"n_params_of_runs": own and own.n_params, "contradiction": said}


def plan_row(plan: Allocation, arm: str, unique_tokens: float | None) -> dict[str, Any]:
    """One arm as a flat record; *_low and *_high are ends of 90 % intervals."""
    training = published_training(plan.n_params, plan.n_tokens)
    epochs: list[float | None] = [None] * 3
    if unique_tokens is not None:
        tokens = (plan.n_tokens, *plan.n_tokens_interval)
        epochs = [max(n / unique_tokens, 1.0) for n in tokens]
    return {
        "arm": arm,
        "flops": plan.flops,
        "n_params": plan.n_params,
        "n_params_low": plan.n_params_interval[0],
        "n_params_high": plan.n_params_interval[1],
        "n_tokens": plan.n_tokens,
        "n_tokens_low": plan.n_tokens_interval[0],
        "n_tokens_high": plan.n_tokens_interval[1],
        "n_tokens_unique": (
            None if unique_tokens is None else min(unique_tokens, plan.n_tokens)
        ),
        "epochs": epochs[0],
        "epochs_low": epochs[1],
        "epochs_high": epochs[2],
        "value": plan.value[0],
        "low": plan.value[1],
        "high": plan.value[2],
        "batch_tokens": training.batch_tokens,
        "lr": training.lr,
        "n_steps": training.n_steps,
        "rule": RULE,
        "rule_beyond_decades": training.beyond_decades,
        "at_edge_of_search": plan.at_grid_edge,
    }


def plan_notes(
    boot: Prediction, rows: list[dict[str, Any]], unique_tokens: float | None
) -> list[dict[str, str]]:
    """Coded warnings about what the plan rests on."""
    notes = boot.fit.cost.notes()
    notes += [_of_arm(row, len(rows)) for row in rows if row["contradiction"]]
    notes += _far_notes(boot, rows[0]["flops"])
    epochs = max((row["epochs"] or 1.0 for row in rows), default=1.0)
    if epochs > 1.0 and "n_tokens_unique" not in boot.fit.law.variable_names:
        notes.append(_repeats_note(boot.fit.law.name, epochs))
    if any(row["at_edge_of_search"] for row in rows):
        notes.append(
            note(
                "at_edge_of_search",
                "warning",
                "the best size lies at the end of the sizes searched: the law has no"
                " optimum inside, do not use it",
            )
        )
    rule = max(row["rule_beyond_decades"] for row in rows)
    if rule > 0.3:
        notes.append(
            note(
                "rule_extrapolated",
                "info",
                f"batch and learning rate lie {rule:.1f} decades outside of the runs"
                " behind the rule; their optimum is flat, but sweep around it",
            )
        )
    return notes


def _far_notes(boot: Prediction, flops: float) -> list[dict[str, str]]:
    """Where the budget lies far from the runs that were fitted."""
    budgets, largest = fitted_budgets(boot.fit), measured_flops(boot.fit)
    assert budgets is not None  # check_law refused laws without sizes and tokens
    smallest = float(budgets.min())
    beyond = float(np.log10(flops / largest))
    said = []
    if beyond > FAR_DECADES:
        said.append(
            f"the budget is {told_apart(beyond, FAR_DECADES, digits=1)} decades above the largest fitted run"
            f" ({flops_text(largest)} FLOPs)"
        )
    if flops < smallest / 10**FAR_DECADES:
        said.append(
            "the budget is far below the smallest fitted run"
            f" ({flops_text(smallest)} FLOPs); was it meant in FLOPs?"
        )
    return [note("extrapolating", "warning", text) for text in said]


def _repeats_note(law: str, epochs: float) -> dict[str, str]:
    """A plan with repeats by a law that does not know them."""
    worth = (
        "little is lost up to 4 epochs"
        if epochs <= FREE_REPEATS
        else "the value is too good and the model too small"
    )
    return note(
        "repetition_not_in_law",
        "warning",
        f"the plan repeats its data {epochs:.1f} times and law '{law}'"
        f" counts a repeat as new: {worth}; fit data_constrained or overfit",
    )


def _of_arm(row: dict[str, Any], n_arms: int) -> dict[str, str]:
    """What the runs of an arm say against its plan, with the arm's name where there are several."""
    said = row["contradiction"]
    if n_arms == 1:
        return said
    return said | {"message": f"{row['arm']}: {said['message']}"}


def shown_plan(row: dict[str, Any]) -> list[dict[str, Any]]:
    """One arm as a table: what, value, interval, unit."""

    def line(what: str, key: str, unit: str, text=si) -> dict[str, Any]:
        low, high = row.get(f"{key}_low"), row.get(f"{key}_high")
        interval = f"{text(low)} to {text(high)}" if low is not None else ""
        return {
            "": what,
            "plan": text(row[key]),
            "90 % interval": interval,
            "unit": unit,
        }

    lines = [
        line("model size", "n_params", "parameters"),
        line("training tokens", "n_tokens", "tokens"),
    ]
    if row["epochs"] is not None:
        lines.append(
            line(
                "epochs",
                "epochs",
                f"passes over {si(row['n_tokens_unique'])} different tokens",
            )
        )
    value = {
        "": "predicted value",
        "plan": f"{row['value']:.4g}",
        "90 % interval": f"{row['low']:.4g} to {row['high']:.4g}",
        "unit": "as in the table of runs",
    }
    return [
        *lines,
        value,
        line("batch", "batch_tokens", "tokens a step (rule)"),
        line("learning rate", "lr", "peak (rule)", lambda x: f"{x:.2e}"),
        line("steps", "n_steps", "optimiser steps"),
    ]


def next_run_rows(
    boot: Prediction, flops: float, unique_tokens: float | None
) -> list[dict[str, Any]]:
    """The proxy runs worth most per FLOP for what the law says at the budget, the most telling first.

    Of several arms those by which the best of them becomes surest, as a decision advises it (advisor.py), none where
    no run is expected to help; of one those that make its value surest.
    """
    check_law(boot, unique_tokens)
    arms = boot.fit.arms or ("all",)
    own = {} if unique_tokens is None else {"n_tokens_unique": unique_tokens}
    candidates = _candidates(boot, arms, own)
    if len(arms) > 1:
        return _between_arms(boot, flops, dict.fromkeys(arms, own), candidates)
    plan = optimal_allocation(boot, flops, arm=arms[0], n_tokens_unique=unique_tokens)
    run = {
        "n_params": plan.n_params,
        "n_tokens_seen": plan.n_tokens,
        "flops": flops,
        **own,
    }
    quantity = np.log(
        boot.predict({name: np.array([value]) for name, value in run.items()})[:, 0]
    )
    return [
        {key: run.row[key] for key in RUN}
        | {"flops": run.flops, "variance_removed": run.variance_removed}
        for run in next_runs(boot, quantity, candidates)[:N_NEXT]
    ]


def _candidates(
    boot: Prediction, arms: Sequence[str], own: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Runs of every arm over the sizes and budgets of the table, and up to twice the largest. own: further columns."""
    fit = boot.fit
    seen = fit.problem.columns
    sizes = np.geomspace(seen["n_params"].min(), seen["n_params"].max() * 2, 5)
    budgets = np.geomspace(
        seen["n_tokens_seen"].min(), seen["n_tokens_seen"].max() * 2, 5
    )
    return [
        {
            "arm": arm,
            "n_params": n,
            "n_tokens_seen": d,
            "flops": float(fit.cost.flops(n, d)),
            **own,
        }
        for arm in arms
        for n in sizes
        for d in budgets
    ]


def _between_arms(
    boot: Prediction,
    flops: float,
    columns: Mapping[str, Mapping[str, float]],
    candidates: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """The candidates by which the best arm at the budget becomes surest per FLOP; p_best: now, and expected after."""
    arms = list(columns)
    path = arm_path(boot, [flops], columns)
    values = np.stack([path.draws[arm][:, 0] for arm in arms], axis=1)
    outlook = advisor.Outlook.of(values)
    predicted = predictions(boot, candidates)
    noise = float(residual_noise(boot.fit).std())
    cost = [float(row["flops"]) for row in candidates]
    found = advisor.ranked(outlook, predicted, flops=cost, noise=noise)[:N_NEXT]
    chances = advisor.chances(values)
    first, second = np.argsort(-chances, kind="stable")[:2]
    lead = np.log(values[:, first]) - np.log(values[:, second])
    rows = []
    for advice in found:
        if advice.fall < advisor.LEAST_FALL:
            continue
        row = candidates[advice.candidate]
        chosen = predicted[:, advice.candidate]
        after = outlook.after(chosen, noise, seed=0)
        [paired] = next_runs(boot, lead, [row], noise=noise)
        rows.append(
            {key: row[key] for key in RUN}
            | {
                "flops": advice.flops,
                "variance_removed": paired.variance_removed,
                "p_best": [float(chances[first]), 1 - after.expected("wrong")],
            }
        )
    return rows


def _sureness(row: dict[str, Any]) -> dict[str, str]:
    """P(best) of the leading arm, now and expected after the run; empty of one arm."""
    if "p_best" not in row:
        return {}
    now, after = row["p_best"]
    return {"P(best)": f"{now:.2f}, then {after:.2f}"}


def shown_next_runs(rows: list[dict[str, Any]], flops: float) -> list[dict[str, Any]]:
    """Next runs with their cost, also as a share of the budget."""
    shown = [
        {
            "arm": r["arm"],
            "n_params": si(r["n_params"]),
            "tokens": si(r["n_tokens_seen"]),
            "FLOPs": flops_text(r["flops"]),
            "% of the budget": f"{100 * r['flops'] / flops:.2g}",
            "variance removed": f"{r['variance_removed']:.0%}",
        }
        | _sureness(r)
        for r in rows
    ]
    return (
        shown
        if len({r["arm"] for r in rows}) > 1 or rows[0]["arm"] != "all"
        else [{k: v for k, v in r.items() if k != "arm"} for r in shown]
    )
