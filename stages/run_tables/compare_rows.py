"""A comparison as flat records for JSON and as tables for a person: what `assay compare` prints."""

from dataclasses import asdict
from typing import Any

import numpy as np

from stages.foundation.one_line import share_text, told_apart
from stages.laws.deciding.compare import Decision
from stages.laws.deciding.crossover import Crossovers
from stages.laws.deciding.worth import Worth
from stages.presentation.numbers import flops_text
from stages.presentation.worth_words import worth_text


def decision_rows(decisions: list[Decision]) -> list[dict[str, Any]]:
    """One record a budget, every arm in it."""
    return [
        {
            "flops": d.flops,
            "best": d.best,
            "p_best": d.p_best[d.best],
            "value": d.values[d.best][0],
            "low": d.values[d.best][1],
            "high": d.values[d.best][2],
            "lead": -d.lead[0],
            "lead_low": -d.lead[2],
            "lead_high": -d.lead[1],
            "over": d.second,
            "status": d.status,
            "reason": d.reason,
            "extrapolation_decades": d.extrapolation_decades,
            "runner_up_law_says": d.runner_up_best,
            "arms": {arm: arm_entry(d, arm) for arm in d.values},
        }
        for d in decisions
    ]


def arm_entry(d: Decision, arm: str) -> dict[str, float | None]:
    """One arm at one budget. n_params and n_tokens are None where the law does not know them."""
    value, low, high = d.values[arm]
    sizes = {"n_params": d.n_params[arm], "n_tokens": d.n_tokens[arm]}
    return {
        "value": value,
        "low": low,
        "high": high,
        "p_best": d.p_best[arm],
        "regret": d.regret[arm],
    } | {k: v if np.isfinite(v) else None for k, v in sizes.items()}


def shown_decisions(
    records: list[dict[str, Any]], unit: str = "FLOPs"
) -> list[dict[str, Any]]:
    """The records of decision_rows as a table of at most 100 columns."""
    return [
        {
            unit: flops_text(r["flops"]),
            "best": r["best"],
            "P(best)": told_apart(r["p_best"], 0, 1, digits=2),
            "value": f"{r['value']:.4g} [{r['low']:.4g}, {r['high']:.4g}]",
            "lead": f"{r['lead']:.2g} [{r['lead_low']:.2g}, {r['lead_high']:.2g}]",
            "over": r["over"],
            "status": r["status"].replace("_", " "),
        }
        for r in records
    ]


def shown_chances(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """P(best) of every arm, one column a budget, the likeliest arms first."""
    arms = sorted(
        records[0]["arms"],
        key=lambda arm: -max(r["arms"][arm]["p_best"] for r in records),
    )
    return [
        {"arm": arm}
        | {
            flops_text(r["flops"]): told_apart(r["arms"][arm]["p_best"], 0, 1, digits=2)
            for r in records
        }
        for arm in arms
    ]


def crossover_rows(found: Crossovers) -> list[dict[str, Any]]:
    """The flips between the arms that are best in turn; low or high None: the end lies outside of
    the range searched.
    """
    return [
        {
            "from": c.first,
            "to": c.second,
            "flops": c.flops,
            "low": c.low,
            "high": c.high,
            "share_of_draws": c.share,
        }
        for c in found.switches
    ]


def worth_rows(worth: list[Worth], unit: str = "FLOPs") -> list[dict[str, Any]]:
    """What the best arm of each budget is worth, with its sentence; None: outside of 0.01 to 10,000 times."""
    return [asdict(each) | {"text": worth_text(each, unit=unit)} for each in worth]


def shown_flips(
    rows: list[dict[str, Any]], found: Crossovers, unit: str = "FLOPs"
) -> list[dict[str, Any]]:
    """The rows of crossover_rows for a person."""
    return [
        {
            "from": r["from"],
            "to": r["to"],
            f"at {unit}": flops_text(r["flops"]),
            "90 % interval": flip_interval(r["low"], r["high"], found),
            "in draws": share_text(r["share_of_draws"]),
        }
        for r in rows
    ]


def flip_interval(low: float | None, high: float | None, found: Crossovers) -> str:
    """`3.0e10 to 5.5e10`; an open end says where the search stopped."""
    start = f"below {flops_text(found.flops_low)}" if low is None else flops_text(low)
    return f"{start} to " + (
        f"above {flops_text(found.flops_high)}" if high is None else flops_text(high)
    )
