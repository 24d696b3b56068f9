"""Question: how often should each tier of quality be used, from not at all to seven times, by one curve that falls?
Input: the laws over tiers that the fit stage chose, the views, the settings of decide. Output: the record.
Cost: 5 to 30 s.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from stages.curation.selecting.recipes import recipes
from stages.decision.at_target import columns_at
from stages.decision.question_laws import Evidence, load
from stages.decision.record import SpokenSize
from stages.foundation import artefacts
from stages.laws.choosing.averaged import Prediction
from stages.laws.interface.fitted import Note
from stages.mixtures.mix_curves import COLUMNS
from stages.searched.compared import Pair, aimed, band, draft, weighted
from stages.searched.curves import (
    Found,
    Ground,
    Limit,
    best_curve,
    central,
    drawn,
)
from stages.searched.record import (
    Band,
    BestRun,
    Rung,
    SearchedRecord,
    Veto,
)
from stages.searched.repeats import repeats_of_tiers
from stages.searched.verdict import finished
from stages.settings.decide import DecideParams
from stages.target.target import is_budget_of

SEED = 1


@dataclass(frozen=True)
class Asked:
    """One question with what was fitted, where the answer is for, and what was found there; limits: metric of a judge
    -> what the curve may lose by it.
    """

    known: Evidence
    ground: Ground
    found: Found
    level: float
    limits: Mapping[str, Limit]

    @property
    def ends(self) -> tuple[float, float]:
        """Quantiles of an interval."""
        return (1 - self.level) / 2, (1 + self.level) / 2

    def pair(self, other: np.ndarray, by: Prediction | None = None) -> Pair:
        """The value of the best curve beside that of another, (tiers,) shares. by: None for what decides."""
        both = np.stack([self.found.share, other])
        boot, ground = by or self.known.boot, self.ground
        return Pair(
            central(boot, ground, both), drawn(boot, ground, both), ends=self.ends
        )


def decide_curve(
    name: str, arms: Mapping[str, Any], params: DecideParams
) -> tuple[SearchedRecord, pl.DataFrame]:
    """The record of one question of kind upsampling, and a table without rows, since its figure needs none."""
    question = arms["questions"][name]
    known = load(name, arms["tiers"])
    ground = ground_of(question, arms, params, known.rows)
    limits = {
        judge.metric: Limit(known.judges[judge.name], params.veto[judge.name])
        for judge in known.fitted.judges
        if judge.name in params.veto
    }
    found = best_curve(known.boot, ground, seed=SEED, limits=list(limits.values()))
    asked = Asked(known, ground, found, params.level, limits)
    watched = {
        name: asked.pair(ground.flat, each.boot) for name, each in limits.items()
    }
    metric = known.fitted.metric
    flat = asked.pair(ground.flat)
    tolerance = params.tie_fraction * float(flat.values[0])
    answer = draft(
        name,
        question,
        rows=known.rows,
        params=params,
        read=read_by(name),
        kind="upsampling",
        target=aimed(
            params.target, arms["pool_tokens"], float(known.rows["flops"].max())
        ),
        metrics=[weighted(metric, 1.0), *(weighted(name, 0.0) for name in limits)],
        judges=known.fitted.judges,
        level=params.level,
        n_params=SpokenSize(
            value=round(ground.n_params),
            why="that of the target" if params.target else "the largest size trained",
            trained=sorted(known.rows["n_params"].unique()),
        ),
        n_tokens=round(ground.n_tokens),
        n_runs=len(known.rows),
        proposal=ground.by_tier(ground.uses(asked.found.share)),
        interval=intervals(asked),
        reference=ground.by_tier(ground.uses(ground.flat)),
        predicted={metric: predicted_of(asked, known.boot)}
        | {name: predicted_of(asked, each.boot) for name, each in limits.items()},
        trade_off={metric: flat.loss}
        | {name: pair.loss for name, pair in watched.items()},
        objective=flat.objective(),
        tolerance=tolerance,
        best_run=best_arm(asked, question, arms, tolerance),
        vetoes={
            name: Veto(change=pair.loss, allowed=limits[name].margin)
            for name, pair in watched.items()
        },
        repetition=repeats_of_tiers(ground, asked.found.share, known.rows),
        repetition_law=None,
        by_rung=[at_budget(flops, asked) for flops in budgets(params, ground)],
        laws={metric: {each.law: each.share for each in known.fitted.ranking}},
        check={metric: check(known)},
        reach=0.0,
        beyond=0.0,
        warnings=[Note(**dict(each)) for each in known.fitted.warnings],
    )
    empty = pl.DataFrame(schema=dict.fromkeys(COLUMNS, pl.String))
    return finished(answer, params), empty


def read_by(name: str) -> list[str]:
    """The files that the record of one question is made of."""
    own = [
        artefacts.fit_record(name),
        artefacts.fit_refits(name),
        artefacts.fitted_rows(name),
    ]
    return [*own, artefacts.ARMS, artefacts.VIEWS]


def ground_of(
    question: Mapping[str, Any],
    arms: Mapping[str, Any],
    params: DecideParams,
    rows: pl.DataFrame,
) -> Ground:
    """The target's size, tokens and tiers; without a target the largest size and budget, and the resample's tiers."""
    views = pl.read_parquet(artefacts.VIEWS)
    flat = question["arms"][0]
    size = max(rows["n_params"])
    tokens = float(rows.filter(n_params=size)["n_tokens_seen"].max())
    if params.target is not None:
        size, tokens = round(params.target.params), params.target.n_tokens
        columns = columns_at(params.target, views, [flat], arms)[flat]
    else:
        columns = recipes(views, [flat], arms["tiers"])[flat]
    tiers = tuple(arms["tiers"])
    unique = np.array([columns[f"unique_{tier}"] for tier in tiers])
    return Ground(tiers, unique, float(size), tokens, float(question["most"]))


def predicted_of(asked: Asked, boot: Prediction) -> Band:
    """What a run of the best curve would measure by a metric, noise of a run included. boot: of the metric."""
    rows = asked.ground.rows(asked.found.share[None])
    value = float(boot.central(rows)[0])
    drawn = boot.predict(rows, new_run=True)[:, 0]
    return band(value, drawn, asked.ends)


def intervals(asked: Asked) -> dict[str, tuple[float, float]]:
    """Tier -> (low, high) of its uses over the best curves of the draws, the answer inside."""
    ground = asked.ground
    uses, each = ground.uses(asked.found.share), ground.uses(asked.found.draws)
    low, high = np.quantile(each, asked.ends, axis=0)
    ends = zip(np.minimum(low, uses), np.maximum(high, uses), strict=True)
    return {
        tier: (float(a), float(b))
        for tier, (a, b) in zip(ground.tiers, ends, strict=True)
    }


def check(known: Evidence) -> dict[str, float]:
    """Of the runs held out, within each size and budget: error of the differences of arms over their spread."""
    cells = pl.DataFrame([row.model_dump() for row in known.fitted.holdout.rows])
    by = ["n_params", "n_tokens_seen"]
    apart = cells.select(
        (pl.col(name) - pl.col(name).mean().over(by)).alias(name)
        for name in ("measured", "predicted")
    )
    measured, predicted = apart["measured"].to_numpy(), apart["predicted"].to_numpy()
    rmse = float(np.sqrt(np.mean((predicted - measured) ** 2)))
    ranks = np.stack([np.argsort(np.argsort(x)) for x in (predicted, measured)])
    return {
        "rmse": rmse,
        "of_spread": rmse / max(float(measured.std()), 1e-12),
        "rank_correlation": float(np.atleast_2d(np.corrcoef(ranks))[0, 1]),
    }


def best_arm(
    asked: Asked,
    question: Mapping[str, Any],
    arms: Mapping[str, Any],
    tolerance: float,
) -> BestRun:
    """The trained curve of least predicted loss there, and how the proposal compares with it."""
    ground, boot = asked.ground, asked.known.boot
    views = pl.read_parquet(artefacts.VIEWS)
    named = recipes(views, question["arms"], arms["tiers"])
    shares = np.array(
        [[named[arm][f"share_{tier}"] for tier in ground.tiers] for arm in named]
    )
    at = int(central(boot, ground, shares).argmin())
    return asked.pair(shares[at]).best_run(
        list(named)[at],
        ground.by_tier(ground.uses(shares[at])),
        measured=None,
        tolerance=tolerance,
    )


def budgets(params: DecideParams, ground: Ground) -> list[float]:
    """The other budgets that an answer is wanted for, FLOPs."""
    own = 6.0 * ground.n_params * ground.n_tokens
    if params.target is not None:
        return [f for f in params.target_flops if not is_budget_of(params.target, f)]
    return [flops for flops in params.target_flops if abs(flops / own - 1) > 0.01]


def at_budget(flops: float, asked: Asked) -> Rung:
    """The answer for another budget at the same size and pool."""
    ground = replace(asked.ground, n_tokens=flops / 6.0 / asked.ground.n_params)
    limits = list(asked.limits.values())
    found = best_curve(asked.known.boot, ground, seed=SEED, limits=limits)
    there = replace(asked, ground=ground, found=found)
    return Rung(
        n_params=round(ground.n_params),
        n_tokens=round(ground.n_tokens),
        flops=flops,
        proposal=ground.by_tier(ground.uses(there.found.share)),
        interval=intervals(there),
        moved=float(0.5 * np.abs(there.found.share - asked.found.share).sum()),
    )
