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
from stages.decision.at_target import columns_at, count_text
from stages.decision.provenance import provenance
from stages.decision.question_laws import Evidence, load
from stages.decision.record import Question, SpokenSize
from stages.foundation import artefacts
from stages.laws.interface.fitted import Note
from stages.mixtures.mix_curves import COLUMNS
from stages.presentation.metric_words import (
    metric_parts,
    metric_unit,
    metric_words,
)
from stages.searched.curves import Found, Ground, best_curve, central, drawn
from stages.searched.record import (
    VERSION,
    Aimed,
    Band,
    BestRun,
    Objective,
    Repeats,
    Rung,
    SearchedRecord,
    SearchedTables,
    WeightedMetric,
)
from stages.searched.repeats import ALIKE
from stages.searched.verdict import Evidence as Argued
from stages.searched.verdict import verdict
from stages.searched.words import sentence, tables
from stages.settings.decide import DecideParams
from stages.target.target import is_budget_of

SEED = 1
REFERENCE = "using every tier alike"


@dataclass(frozen=True)
class Asked:
    """One question with what was fitted, where the answer is for, and what was found there."""

    known: Evidence
    ground: Ground
    found: Found
    level: float

    @property
    def ends(self) -> tuple[float, float]:
        """Quantiles of an interval."""
        return (1 - self.level) / 2, (1 + self.level) / 2

    def band(self, value: float, draws: np.ndarray) -> Band:
        """(value, low, high) with the value inside."""
        low, high = (float(v) for v in np.quantile(draws, self.ends))
        return value, min(low, value), max(high, value)


def decide_curve(
    name: str, arms: Mapping[str, Any], params: DecideParams
) -> tuple[SearchedRecord, pl.DataFrame]:
    """The record of one question of kind upsampling, and a table without rows, since its figure needs none."""
    question = arms["questions"][name]
    known = load(name, arms["tiers"])
    ground = ground_of(question, arms, params, known.rows)
    asked = Asked(
        known, ground, best_curve(known.boot, ground, seed=SEED), params.level
    )
    uses, flat = ground.uses(asked.found.share), ground.uses(ground.flat)
    aimed = aim(ground, arms, params, known.rows)
    objective, predicted = objective_of(asked), predicted_of(asked)
    metric = known.fitted.metric
    checked = {metric: check(known)}
    tolerance = params.tie_fraction * objective.value[0]
    best = best_arm(asked, question, arms, tolerance)
    repetition = repeats(asked)
    gain = objective.gain
    by_rung = [at_budget(flops, asked, params) for flops in budgets(params, ground)]
    status, reason = verdict(
        Argued(
            said={
                "check": checked,
                "vetoes": {},
                "trust": {"reach": 0.0, "beyond": 0.0},
                "objective": {
                    "weights": {metric: 1.0},
                    "gain": gain,
                    "p_better": objective.p_better,
                },
            },
            best=best,
            repetition=repetition,
            by_rung=by_rung,
            broken=[],
            aimed=aimed,
            tolerance=tolerance,
            params=params,
            reference=REFERENCE,
            searched="curve",
            unit=metric_words(metric_unit(metric)).difference_unit,
        )
    )
    unit, domain = metric_unit(metric), metric_parts(metric)[1]
    answer = SearchedRecord(
        version=VERSION,
        kind="upsampling",
        question=Question(name=name, title=question["title"]),
        sentence="",
        status=status,
        reason=reason,
        target=aimed,
        metrics=[WeightedMetric(name=metric, domain=domain, unit=unit, weight=1.0)],
        judges=known.fitted.judges,
        level=params.level,
        n_params=SpokenSize(
            value=round(ground.n_params),
            why="that of the target" if params.target else "the largest size trained",
            trained=sorted(known.rows["n_params"].unique()),
        ),
        n_tokens=round(ground.n_tokens),
        n_runs=len(known.rows),
        n_draws=known.rows["pool_draw"].n_unique(),
        proposal=_by_tier(ground, uses),
        interval=intervals(asked),
        reference=_by_tier(ground, flat),
        predicted={metric: predicted},
        trade_off={metric: (-gain[0], -gain[2], -gain[1])},
        objective=objective,
        tolerance=tolerance,
        best_run=best,
        vetoes={},
        repetition=repetition,
        repetition_law=None,
        by_rung=by_rung,
        laws={metric: {each.law: each.share for each in known.fitted.ranking}},
        check=checked,
        reach=0.0,
        beyond=0.0,
        warnings=[Note(**dict(each)) for each in known.fitted.warnings],
        provenance=provenance(
            known.rows,
            made_from=[artefacts.RUNS],
            read=read_by(name),
            params={"decide": params.model_dump()},
        ),
        tables=SearchedTables(proposal=[], predicted=[], rungs=[]),
    )
    words = {"sentence": sentence(answer), "tables": tables(answer)}
    empty = pl.DataFrame(schema=dict.fromkeys(COLUMNS, pl.String))
    return answer.model_copy(update=words), empty


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


def aim(
    ground: Ground, arms: Mapping[str, Any], params: DecideParams, rows: pl.DataFrame
) -> Aimed | None:
    """The target, and how far it lies beyond the largest proxy."""
    target = params.target
    if target is None:
        return None
    pools = target.pools(arms["pool_tokens"])
    return Aimed(
        n_params=target.params,
        n_tokens=target.n_tokens,
        flops=target.n_flops,
        pool_tokens=pools,
        decades=float(np.log10(target.n_flops / float(rows["flops"].max()))),
        text=(
            f"{count_text(target.params)} parameters and"
            f" {count_text(target.n_tokens)} tokens from a pool of"
            f" {count_text(sum(pools.values()))}"
        ),
    )


def objective_of(asked: Asked) -> Objective:
    """Loss on the best curve and on the flat one, paired by draw."""
    ground, boot = asked.ground, asked.known.boot
    both = np.stack([asked.found.share, ground.flat])
    value, other = (float(v) for v in central(boot, ground, both))
    draws = drawn(boot, ground, both)
    gains = draws[:, 1] - draws[:, 0]
    return Objective(
        value=asked.band(value, draws[:, 0]),
        reference=other,
        gain=asked.band(other - value, gains),
        p_better=float(np.mean(gains > 0)),
    )


def predicted_of(asked: Asked) -> Band:
    """What a run of the best curve would measure, noise of a run included."""
    rows = asked.ground.rows(asked.found.share[None])
    value = float(asked.known.boot.central(rows)[0])
    return asked.band(value, asked.known.boot.predict(rows, new_run=True)[:, 0])


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
    both = np.stack([asked.found.share, shares[at]])
    value, draws = central(boot, ground, both), drawn(boot, ground, both)
    gains = draws[:, 1] - draws[:, 0]
    return BestRun(
        run_id=list(named)[at],
        shares=_by_tier(ground, ground.uses(shares[at])),
        measured=None,
        gain=asked.band(float(value[1] - value[0]), gains),
        p_not_worse=float(np.mean(gains > -tolerance)),
    )


def repeats(asked: Asked) -> dict[str, Repeats]:
    """Tier -> uses by the answer, beside the most of any proxy; the laws carry fewer, and not many more."""
    ground, rows = asked.ground, asked.known.rows
    uses = ground.uses(asked.found.share)
    found = {}
    for tier, there in zip(ground.tiers, uses.tolist(), strict=True):
        passes = (
            rows[f"share_{tier}"].fill_null(0)
            * rows["n_tokens_seen"]
            / rows[f"unique_{tier}"].fill_null(1).clip(lower_bound=1)
        )
        most = float(passes.max())
        agree = max(there, 1.0) <= ALIKE * max(most, 1.0)
        found[tier] = Repeats(target_passes=there, proxy_passes=most, agree=agree)
    return found


def budgets(params: DecideParams, ground: Ground) -> list[float]:
    """The other budgets that an answer is wanted for, FLOPs."""
    own = 6.0 * ground.n_params * ground.n_tokens
    if params.target is not None:
        return [f for f in params.target_flops if not is_budget_of(params.target, f)]
    return [flops for flops in params.target_flops if abs(flops / own - 1) > 0.01]


def at_budget(flops: float, asked: Asked, params: DecideParams) -> Rung:
    """The answer for another budget at the same size and pool."""
    ground = replace(asked.ground, n_tokens=flops / 6.0 / asked.ground.n_params)
    there = replace(
        asked, ground=ground, found=best_curve(asked.known.boot, ground, seed=SEED)
    )
    return Rung(
        n_params=round(ground.n_params),
        n_tokens=round(ground.n_tokens),
        flops=flops,
        proposal=_by_tier(ground, ground.uses(there.found.share)),
        interval=intervals(there),
        moved=float(0.5 * np.abs(there.found.share - asked.found.share).sum()),
    )


def _by_tier(ground: Ground, values: np.ndarray) -> dict[str, float]:
    return dict(zip(ground.tiers, values.tolist(), strict=True))
