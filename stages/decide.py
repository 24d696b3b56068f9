"""Question: at each compute budget, which arm, how sure, and where does the answer flip?
Input: fitted laws with their refits, the views, the control runs. Output: one decision record a question
(docs/design.md lists its fields) and the curves that the page draws. Cost: seconds.
"""

import logging
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl
from pydantic import Field

from stages.curation.selecting.recipes import recipes
from stages.decision.controls import chance_lead, control_effects, detectable
from stages.decision.provenance import provenance
from stages.decision.question_laws import law_named, twins
from stages.decision.tables import tables
from stages.decision.text import arm_label, sentence
from stages.foundation import artefacts
from stages.foundation.files import read_json, whole_file, write_json
from stages.foundation.stage import Section, Stage
from stages.laws.choosing.bootstrap import Bootstrap
from stages.laws.choosing.record import from_state
from stages.laws.deciding.compare import Decision, compare
from stages.laws.deciding.crossover import Crossovers, crossovers
from stages.laws.deciding.path import ArmColumns, arm_path
from stages.laws.deciding.plan import difference_at, next_runs

log = logging.getLogger("assay")
CURVE_POINTS_PER_DECADE = 24


class DecideParams(Section):
    target_flops: list[float] = Field(
        min_length=1, description="budgets that an answer is wanted for, FLOPs (6ND)"
    )
    n_params: int | None = Field(
        None,
        ge=1,
        description=(
            "model size that the answer speaks for; null: the largest trained, 0 is not"
            " a size"
        ),
    )
    level: float = Field(0.9, gt=0.5, lt=1, description="coverage of every interval")
    decide_at: float = Field(
        0.9, gt=0.5, lt=1, description="P(best) from which an arm may be called decided"
    )
    tie_fraction: float = Field(
        0.005,
        ge=0,
        lt=1,
        description="a lead surely below this fraction of the loss is a tie",
    )
    max_decades: float = Field(
        0.5,
        ge=0,
        le=4,
        description=(
            "factors of ten above the largest measured compute beyond which nothing is"
            " decided"
        ),
    )
    search_decades: float = Field(
        1.0,
        ge=0,
        le=6,
        description=(
            "factors of ten above the largest measured compute that are searched for"
            " flips"
        ),
    )


def run(params: DecideParams) -> None:
    """A record and curves for every question."""
    arms = read_json(artefacts.ARMS)
    summary = {}
    for name in arms["questions"]:
        decision, curves = decide(name, arms, params)
        with whole_file(artefacts.curves(name)) as temporary:
            curves.write_parquet(temporary)
        write_json(artefacts.decision(name), decision)
        summary[name] = {
            "status": decision["status"],
            "flips": len(decision["crossovers"]),
            "smallest_detectable_effect_nats": decision[
                "smallest_detectable_effect_nats"
            ],
        }
        log.info("decide: %s: %s", name, decision["sentence"])
    write_json(artefacts.DECIDE_METRICS, summary)


def load(
    name: str, tiers: list[str]
) -> tuple[pl.DataFrame, dict[str, Any], Bootstrap, Bootstrap | None]:
    """The fitted rows, the fit record, and the refits of the chosen law and the runner-up."""
    rows = pl.read_parquet(artefacts.fitted_rows(name))
    states = read_json(artefacts.fit_refits(name))
    boots = {
        role: from_state(state, law_named(state["law"], tiers))
        for role, state in states.items()
    }
    return (
        rows,
        read_json(artefacts.fit_record(name)),
        boots["law"],
        boots.get("runner_up"),
    )


def decide(
    name: str, arms: dict[str, Any], params: DecideParams
) -> tuple[dict[str, Any], pl.DataFrame]:
    """The record of one question and its curves (kind, arm, flops, value, low, high)."""
    question = arms["questions"][name]
    rows, fitted, boot, rival = load(name, arms["tiers"])
    pairs = twins(arms, question["arms"])
    columns = recipes(
        pl.read_parquet(artefacts.VIEWS),
        [*question["arms"], *pairs],
        arms["tiers"],
    )
    twin_columns, columns = columns, {arm: columns[arm] for arm in question["arms"]}
    sizes = sorted(rows["n_params"].unique())
    n_params = params.n_params or sizes[-1]
    at_size = rows.filter(n_params=n_params) if n_params in sizes else rows
    low, reach = float(at_size["flops"].min()), float(at_size["flops"].max())
    high = reach * 10**params.search_decades
    controls = control_effects(arms, fitted["metric"])
    chance = chance_lead(
        boot, twin_columns, pairs, params.target_flops, n_params, params.level
    )
    targets = [
        compare(
            boot,
            [flops],
            columns,
            n_params=n_params,
            level=params.level,
            decide_at=params.decide_at,
            smallest_effect=effect,
            tolerance=params.tie_fraction * float(at_size["value"].mean()),
            max_decades=params.max_decades,
            runner_up=rival,
        )[0]
        for flops, effect in zip(params.target_flops, chance, strict=True)
    ]
    found = crossovers(boot, columns, low, high, n_params=n_params, level=params.level)
    by_size = {
        size: crossovers(
            boot,
            columns,
            *_range(rows, size, params),
            n_params=size,
            level=params.level,
        )
        for size in sizes
    }
    rival_found = (
        crossovers(rival, columns, low, high, n_params=n_params, level=params.level)
        if rival
        else None
    )
    path, flips = path_of(found, reach)
    status, reason = overall(targets, flips, reach)
    labels = {arm: arm_label(arm, arms["arms"][arm]) for arm in question["arms"]}
    decision = {
        "question": {"name": name, "title": question["title"]},
        "sentence": sentence(path, flips, labels, status),
        "status": status,
        "reason": reason,
        "metric": metric_record(fitted["metric"], rows["modality"][0]),
        "level": params.level,
        "n_params": {
            "value": n_params,
            "why": (
                "set in params.yaml" if params.n_params else "the largest size trained"
            ),
            "trained": sizes,
        },
        "pool_unique_tokens": round(
            max(
                sum(v for k, v in c.items() if k == "n_tokens_unique")
                for c in columns.values()
            )
        ),
        "n_draws": rows["pool_draw"].n_unique(),
        "measured_to_flops": reach,
        "searched_to_flops": high,
        "base": (
            question["arms"][-1] if "keep_100" not in question["arms"] else "keep_100"
        ),
        "labels": labels,
        "targets": [asdict(target) for target in targets],
        "crossovers": flips,
        "crossovers_drawn": [
            flip | {"low": flip["low"] or low, "high": flip["high"] or high}
            for flip in flips
        ],
        "crossovers_by_size": {
            str(size): sequence_rows(part) for size, part in by_size.items()
        },
        "pairwise": pair_rows(found),
        "law": (
            fitted["law"]
            | {
                "name": fitted["law"]["law"],
                "chosen_because": fitted["reason"],
            }
        ),
        "runner_up": {
            "name": fitted["runner_up"],
            "sequence": sequence_rows(rival_found) if rival_found else None,
        },
        "ranking": fitted["ranking"],
        "smallest_detectable_effect_nats": detectable(
            chance, params.target_flops, reach
        ),
        "chance_lead_nats": chance,
        "controls": controls,
        "heldout_check": (
            fitted["holdout"]
            | {
                "text": check_text(fitted),
                "rows": [
                    row for row in fitted["holdout"]["rows"] if row["arm"] in columns
                ],
            }
        ),
        "regularisation": fitted["regularisation"],
        "next_run": next_best(boot, columns, targets, flips, rows, n_params),
        "warnings": fitted["law"]["warnings"] + fitted["warnings"],
        "points": points(rows.filter(pl.col("arm").is_in(question["arms"])), n_params),
        "provenance": provenance(rows),
    }
    decision["tables"] = tables(decision)
    return decision, curves(boot, columns, low, high, n_params, decision["base"])


def metric_record(metric: str, modality: str) -> dict[str, str]:
    """Name, held-out domain and unit; keys of the record that end in _nats are in this unit."""
    kind, _, domain = metric.partition("_")
    return {
        "name": metric,
        "domain": domain,
        "unit": (
            "share wrong"
            if kind == "error"
            else "nats/token"
            if modality == "text"
            else "nats/image"
        ),
    }


def _range(rows: pl.DataFrame, size: int, params: DecideParams) -> tuple[float, float]:
    """The compute searched at one model size."""
    flops = rows.filter(n_params=size)["flops"]
    return float(flops.min()), float(flops.max()) * 10**params.search_decades


def overall(
    targets: list[Decision], flips: list[dict[str, Any]], reach: float
) -> tuple[str, str]:
    """The status of the question: the commonest of its budgets within what was measured, in doubt the less sure.

    At a budget inside the interval of a flip no arm can win, whatever the evidence; such budgets do not count.
    """
    measured = [target for target in targets if target.flops <= reach * 1.0001]
    clear = [
        target
        for target in measured
        if not any(
            (f["low"] or 0) <= target.flops <= (f["high"] or np.inf) for f in flips
        )
    ]
    judged = clear or measured or targets
    counts = {
        status: sum(target.status == status for target in judged)
        for status in ("insufficient_evidence", "extrapolating", "tie", "decided")
    }
    status = max(counts, key=lambda key: counts[key])
    said = ", ".join(
        f"{count} {key.replace('_', ' ')}" for key, count in counts.items() if count
    )
    example = next(target for target in judged if target.status == status)
    inside = (
        f" ({len(measured) - len(clear)} more lie inside the interval of a flip)"
        if clear and len(clear) < len(measured)
        else ""
    )
    return (
        status,
        (
            f"Of {len(judged)} target budgets within the measured compute{inside}:"
            f" {said}. At {example.flops:.2g} FLOPs: {example.reason}."
        ),
    )


def path_of(found: Crossovers, reach: float) -> tuple[list[str], list[dict[str, Any]]]:
    """The arms that are best in turn and the flips between them, less first ones that most draws do not have."""
    flips = [
        {**asdict(flip), "extrapolated": flip.flops > reach} for flip in found.switches
    ]
    path = [arm for arm, _, _ in found.sequence]
    while flips and flips[0]["share"] < 0.5:
        path, flips = path[1:], flips[1:]
    return path, flips


def sequence_rows(found: Crossovers) -> list[dict[str, Any]]:
    """The best arm by stretch of compute, with the flip that ends it."""
    ends = [*found.switches, None]
    return [
        {"arm": arm, "up_to": None if end is None else asdict(end)}
        for (arm, _, _), end in zip(found.sequence, ends, strict=True)
    ]


def pair_rows(found: Crossovers) -> list[dict[str, Any]]:
    """Every crossing of any two arms, best-placed or not."""
    return [asdict(flip) for crossings in found.pairs.values() for flip in crossings]


def check_text(fitted: dict[str, Any]) -> str:
    """The held-out check in a sentence."""
    check = fitted["holdout"]
    return (
        f"Fitted below {check['from_flops']:.2g} FLOPs, the law predicts the"
        f" {check['n']} runs at and above it with a mean error of"
        f" {100 * check['mape']:.2f} % (bias"
        f" {check['bias']:+.3f}{' nats' if fitted['metric'].startswith('loss') else ''});"
        f" {100 * check['coverage']:.0f} % of them lie in their 90 % interval."
    )


def points(rows: pl.DataFrame, n_params: int) -> list[dict[str, Any]]:
    """Measured means over draws at the size that the answer speaks for."""
    part = rows.filter(n_params=n_params)
    return (
        part.group_by("arm", "flops", "n_tokens_seen", maintain_order=True)
        .agg(pl.col("value").mean(), spread=pl.col("value").std())
        .to_dicts()
    )


def least_settled(
    targets: list[Decision], flips: list[dict[str, Any]]
) -> tuple[str, str, float] | None:
    """The comparison with most to gain: the flip with the widest interval, else the closest pair at a target budget."""
    if flips:
        flip = max(
            flips,
            key=lambda f: np.log(
                (f["high"] or 1e3 * f["flops"]) / (f["low"] or 1e-3 * f["flops"])
            ),
        )
        return flip["first"], flip["second"], flip["flops"]
    rivals = [target for target in targets if target.second]
    closest = min(rivals, key=lambda t: abs(t.lead[0]), default=None)
    return (closest.best, closest.second, closest.flops) if closest else None


def next_best(
    boot: Bootstrap,
    columns: ArmColumns,
    targets: list[Decision],
    flips: list[dict[str, Any]],
    rows: pl.DataFrame,
    n_params: int,
) -> dict[str, Any] | None:
    """The cheapest proxy run that narrows the least settled comparison at least half as much as the best one would."""
    open_pair = least_settled(targets, flips)
    if open_pair is None:
        return None
    first, second, flops = open_pair
    quantity = difference_at(boot, flops, first, second, columns, n_params=n_params)
    budgets = [
        *sorted(rows["n_tokens_seen"].unique()),
        int(rows["n_tokens_seen"].max()) * 2,
    ]
    candidates = [
        {
            "arm": arm,
            "n_params": float(size),
            "n_tokens_seen": float(budget),
            "flops": 6.0 * size * budget,
            **columns[arm],
        }
        for arm in (first, second)
        for size in sorted(rows["n_params"].unique())
        for budget in budgets
    ]
    runs = next_runs(boot, quantity, candidates)
    most = max(run.variance_removed for run in runs)
    best = min(
        (run for run in runs if run.variance_removed >= most / 2),
        key=lambda run: run.flops,
    )
    row = {key: best.row[key] for key in ("arm", "n_params", "n_tokens_seen")}
    text = (
        f"Train {row['arm']} once more, on a new resample, with {row['n_params']:,.0f}"
        f" parameters for {row['n_tokens_seen']:,.0f} tokens ({best.flops:.2g} FLOPs):"
        f" it would remove an expected {100 * best.variance_removed:.0f} % of the"
        f" variance of {first} against {second} at {flops:.2g} FLOPs, the least settled"
        " comparison."
    )
    return {
        **row,
        "flops": best.flops,
        "variance_removed": best.variance_removed,
        "settles": [first, second, flops],
        "text": text,
    }


def curves(
    boot: Bootstrap,
    columns: ArmColumns,
    low: float,
    high: float,
    n_params: int,
    base: str,
) -> pl.DataFrame:
    """Loss of every arm, and its difference from the base arm paired by draw: kind, arm, flops, value, low, high."""
    flops = np.geomspace(
        low, high, int(CURVE_POINTS_PER_DECADE * np.log10(high / low)) + 2
    )
    path = arm_path(boot, flops, columns, n_params=n_params)
    frames = []
    for kind, zero, zeros in (
        ("loss", 0.0, 0.0),
        ("difference", path.values[base], path.draws[base]),
    ):
        for arm in columns:
            limits = np.quantile(path.draws[arm] - zeros, [0.05, 0.95], axis=0)
            frames.append(
                pl.DataFrame(
                    {
                        "flops": flops,
                        "value": path.values[arm] - zero,
                        "low": limits[0],
                        "high": limits[1],
                    }
                ).with_columns(kind=pl.lit(kind), arm=pl.lit(arm))
            )
    return pl.concat(frames).select("kind", "arm", "flops", "value", "low", "high")


stage = Stage(
    run=run,
    params=DecideParams,
    question=(
        "At each compute budget, which arm, how sure, and where does the answer flip?"
    ),
    deps=(
        artefacts.FITS,
        artefacts.ARMS,
        artefacts.VIEWS,
        artefacts.RUNS,
    ),
    outs=(artefacts.CURVES,),
    tracked=(artefacts.DECISIONS,),
    metrics=(artefacts.DECIDE_METRICS,),
)
