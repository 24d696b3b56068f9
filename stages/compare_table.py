"""Which data set wins at a budget, on anybody's table of runs: what `assay compare` and `assay plan` compute."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from stages.candidates import N_CUTS, N_DRAWS, N_STARTS, candidates, duplicate_notes, numeric_rows
from stages.errors import InputError
from stages.fit_file import LEVEL
from stages.laws.bootstrap import Bootstrap, bootstrap
from stages.laws.choose import Choice, choose_law
from stages.laws.compare import Decision, compare
from stages.laws.crossover import Crossovers, crossovers
from stages.laws.cuts import cuts
from stages.laws.fit import Fit
from stages.laws.law import Law
from stages.laws.mixture import Mixture, mixture
from stages.laws.plan import difference_at, next_runs, optimal_allocation
from stages.laws.sharing import freed, separate
from stages.laws.variant import Variant, with_variants

SEARCH_DECADES = 1.0


def arm_rows(table: pl.DataFrame, arm: str, name: str, cluster: str | None) -> dict[str, np.ndarray]:
    """The numeric columns that any law reads, the arm and the cluster, as arrays (rows,)."""
    for column in (arm, *([cluster] if cluster else [])):
        if column not in table.columns:
            raise InputError(f"{name}: no column {column!r}; columns are {', '.join(table.columns[:20])}")
    rows = numeric_rows(table, name)
    rows["arm"] = table[arm].cast(pl.String).to_numpy()
    if cluster:
        rows[cluster] = table[cluster].cast(pl.String).to_numpy()
    return rows


@dataclass(frozen=True)
class Fitted:
    """What a comparison is drawn from: the law (for a choice the mixture of its candidates), the next-best law, the law with own exponents by arm."""

    boot: Bootstrap | Mixture
    runner_up: Bootstrap | None
    own_exponents: Bootstrap | None
    reason: str


def fitted_arms(law: str, rows: dict[str, np.ndarray], cluster: str | None, n_draws: int, share: str = "auto", seed: int = 0) -> Fitted:
    """Fit the law, or choose one, with the parameters that `share` leaves separate by arm (sharing.py)."""
    laws = candidates(law, rows)
    options = {"clusters": cluster or (), "n_draws": n_draws, "seed": seed}
    judged = None
    if _can_hold_out(rows):
        others = [] if law == "auto" else [other for other in candidates("auto", rows) if other.name != law]
        judged = choose_law(with_variants(laws) if law == "auto" else [*laws, *others], rows, by_arm=lambda a_law: separate(a_law, share), n_cuts=N_CUTS,
                            n_starts=N_STARTS, n_draws=N_DRAWS, clusters=cluster or (), delta=None, seed=seed)  # fmt: skip
    if law == "auto" and judged:
        variant, boot, rival, reason = judged.variant, mixture(judged, rows, **options), judged.runner_up, judged.reason
    else:
        variant = Variant(laws[0])
        boot = bootstrap(variant.fit(rows, by_arm=separate(laws[0], share), delta=None, seed=seed), rows, **options)
        rival, reason = _as_asked(laws[0], judged, law == "auto")
        variant = judged.variant if judged else variant  # own exponents are asked of the law that predicts best
    runner_up = bootstrap(rival, rows, **options) if rival else None
    return Fitted(boot, runner_up, _own_exponents(variant, rows, separate(variant.law, share), options), reason)


def _as_asked(law: Law, judged: Choice | None, auto: bool) -> tuple[Fit | None, str]:
    """The rival of a law that was not chosen, and why it is used: the law that predicts held-out runs best, else the next-best."""
    if judged is None:
        return None, f"{law.name}: " + ("too few compute budgets to hold out the largest and choose a law" if auto else "asked for")
    if judged.fit.law.name == law.name:
        return judged.runner_up, f"{law.name}: asked for"
    error = {score.law: score.mape for score in judged.ranking}
    own = f"{error[law.name]:.2%}" if law.name in error else "no answer"
    return judged.fit, f"{law.name}: asked for, though {judged.fit.law.name} errs less on held-out runs ({error[judged.fit.law.name]:.2%} against {own})"


def _can_hold_out(rows: dict[str, np.ndarray]) -> bool:
    try:
        return bool(cuts(rows, N_CUTS))
    except InputError:
        return False


def _own_exponents(variant: Variant, rows: dict[str, np.ndarray], by_arm: tuple[str, ...], options: dict[str, Any]) -> Bootstrap | None:
    """The same law with the exponents of the arms' amplitudes separate too; None where they are, or where an arm has too few runs for it."""
    free = freed(variant.law, by_arm)
    fewest = min(np.unique(rows["arm"], return_counts=True)[1])
    if set(free) == set(by_arm) or fewest < len(free) + 2:
        return None
    return bootstrap(variant.fit(rows, by_arm=free, delta=None, seed=options["seed"], identify=False), rows, **options)


def arm_columns(rows: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """What each arm offers: its unique tokens (the most that any of its runs saw) and its mean shares."""
    columns: dict[str, dict[str, float]] = {}
    for arm in sorted(set(rows["arm"])):
        own = rows["arm"] == arm
        columns[arm] = {key: float(value[own].max()) for key, value in rows.items() if key == "n_tokens_unique" or key.startswith("unique_")}
        columns[arm] |= {key: float(value[own].mean()) for key, value in rows.items() if key.startswith("share_")}
    return columns


def compare_table(
    table: pl.DataFrame, name: str, *, arm: str, at: list[float], law: str, cluster: str | None, n_params: float | None, n_draws: int, share: str = "auto"
) -> tuple[list[Decision], Crossovers, str, list[dict[str, str]]]:
    """The decision at each budget, the crossovers up to ten times the largest run, why this law, and the coded warnings."""
    rows = arm_rows(table, arm, name, cluster)
    if not len(table):
        raise InputError(f"{name}: no rows to compare; change --where")
    if len(set(rows["arm"])) < 2:
        raise InputError(f"{name}: column {arm!r} holds one arm, {rows['arm'][0]!r}; a comparison needs two")
    columns = arm_columns(rows)
    if share == "all" and len({tuple(own.items()) for own in columns.values()}) == 1:
        raise InputError(f"{name}: --share all leaves nothing to tell the arms apart, since no column of unique tokens or shares differs; share less")
    fitted = fitted_arms(law, rows, cluster, n_draws, share)
    boot = fitted.boot
    flops = rows["flops"] if "flops" in rows else 6 * rows["n_params"] * rows["n_tokens_seen"]
    options = {"n_params": n_params}
    if n_params is None and "n_params" in rows:
        options["n_params_range"] = (float(rows["n_params"].min()), float(rows["n_params"].max()))
    decisions = compare(boot, at, columns, level=LEVEL, runner_up=fitted.runner_up, own_exponents=fitted.own_exponents, **options)
    found = crossovers(boot, columns, float(flops.min()), max(float(flops.max()) * 10**SEARCH_DECADES, max(at)), level=LEVEL, **options)
    return decisions, found, fitted.reason, boot.fit.warnings + boot.warnings + duplicate_notes(rows)


def decision_rows(decisions: list[Decision]) -> list[dict[str, Any]]:
    """One row a budget."""
    return [
        {
            "flops": f"{d.flops:.2e}",
            "best": d.best,
            "p_best": round(d.p_best[d.best], 3),
            "value": d.values[d.best][0],
            "lead": f"{-d.lead[0]:.4g} [{-d.lead[2]:.4g}, {-d.lead[1]:.4g}]",
            "over": d.second,
            "status": d.status,
            "reason": d.reason,
        }
        for d in decisions
    ]


def crossover_rows(found: Crossovers) -> list[dict[str, Any]]:
    """The flips between the arms that are best in turn."""
    return [{"from": c.first, "to": c.second, "flops": c.flops, "low": c.low, "high": c.high, "share_of_draws": c.share} for c in found.switches]


def plan_rows(boot: Bootstrap, flops: float, unique_tokens: float | None) -> list[dict[str, Any]]:
    """Compute-optimal size, tokens and epochs of each arm of a stored fit."""
    rows = []
    for arm in boot.fit.arms or ("all",):
        plan = optimal_allocation(boot, flops, arm=arm, n_tokens_unique=unique_tokens)
        rows.append(
            {
                "arm": arm,
                "flops": plan.flops,
                "n_params": plan.n_params,
                "n_tokens": plan.n_tokens,
                "epochs": plan.epochs if unique_tokens else None,
                "value": plan.value[0],
                "low": plan.value[1],
                "high": plan.value[2],
                "at_edge_of_search": plan.at_grid_edge,
            }
        )
    return rows


def next_run_rows(boot: Bootstrap, flops: float, unique_tokens: float | None) -> list[dict[str, Any]]:
    """The proxy runs worth most per FLOP for what the law says at the budget."""
    fit, arms = boot.fit, boot.fit.arms or ("all",)
    own = {} if unique_tokens is None else {"n_tokens_unique": unique_tokens}
    columns = {arm: own for arm in arms}
    if len(arms) > 1:
        quantity = difference_at(boot, flops, arms[0], arms[1], columns)
    else:
        plan = optimal_allocation(boot, flops, arm=arms[0], n_tokens_unique=unique_tokens)
        quantity = np.log(boot.predict({"n_params": np.array([plan.n_params]), "n_tokens_seen": np.array([plan.n_tokens]), "flops": np.array([flops]), **own})[:, 0])
    seen = fit.problem.columns
    sizes = np.geomspace(seen["n_params"].min(), seen["n_params"].max() * 2, 5)
    budgets = np.geomspace(seen["n_tokens_seen"].min(), seen["n_tokens_seen"].max() * 2, 5)
    rows = [{"arm": arm, "n_params": n, "n_tokens_seen": d, "flops": 6 * n * d, **own} for arm in arms for n in sizes for d in budgets]
    best = next_runs(boot, quantity, rows)[:5]
    return [{key: run.row[key] for key in ("arm", "n_params", "n_tokens_seen")} | {"flops": run.flops, "variance_removed": run.variance_removed} for run in best]
