"""What is to be trained after a search: its proposal, its reference and its best run, at more compute than the fit had.

None of them need be in the sweep, so each is a view made here; its trunk is one of the sweep on the same resample with
this view, so that all of a resample share weights, order and settings. A curve over tiers is predicted by the laws that
decided it, a mixture as swarm_claim.py says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from stages.curation.selecting.recipes import recipes
from stages.decision.at_budgets import Status
from stages.decision.at_target import SAME_POOLS
from stages.decision.question_laws import load
from stages.foundation import artefacts
from stages.foundation.errors import InputError
from stages.laws.choosing.averaged import Prediction
from stages.presentation.phase_names import DECAY
from stages.proxy.specs.spec import RunSpec
from stages.searched.record import (
    BEST_RUN,
    PROPOSAL,
    REFERENCE,
    SearchedRecord,
    arm_name,
    read_any_decision,
    values_of,
)
from stages.searched.words import REFERENCES
from stages.settings.verify import VerifyParams
from stages.sweeping.views import Views
from stages.verification.asked import (
    Asked,
    measured_by,
    metric_of,
    plan,
    size_of,
    top_of,
)
from stages.verification.carried_on import parents_of
from stages.verification.judged import Claim, Rows
from stages.verification.searched_views import distinct, searched_views


@dataclass(frozen=True)
class Answered:
    """What a search says at the budget of its target."""

    flops: float
    best: str
    status: Status


@dataclass(frozen=True)
class CurvePrediction:
    """Laws over tiers, which are asked of any curve: their own arms do not count."""

    boot: Prediction

    def point(self, rows: Rows) -> np.ndarray:
        """The value at each row, (rows,)."""
        return self.boot.central(_nameless(rows))

    def new_runs(self, rows: Rows) -> np.ndarray:
        """The value of one new run at each row in each draw, (draws, rows)."""
        return self.boot.predict(_nameless(rows), new_run=True)


def _nameless(rows: Rows) -> dict[str, np.ndarray]:
    return {name: column for name, column in rows.items() if name != "arm"}


def searched_record(name: str) -> SearchedRecord:
    """The record of a question that was searched for. Raises InputError where it is one between arms."""
    path = artefacts.decision(name)
    record = read_any_decision(path)
    if not isinstance(record, SearchedRecord):
        raise InputError(
            f"{path}: is of arms, and {name} is searched for now; {record.remedy}"
        )
    return record


def with_searched_views(data: Views, names: Sequence[str]) -> Views:
    """The views of the sweep, and those of what the searches of these questions name."""
    if not names:
        return data
    views = pl.read_parquet(artefacts.VIEWS)
    tables = [own_views(searched_record(name), data.arms, views) for name in names]
    return data.added(pl.concat(tables))


def own_views(
    record: SearchedRecord, arms: Mapping[str, Any], views: pl.DataFrame
) -> pl.DataFrame:
    """The views of one record. arms: data/arms/arms.json; views: data/arms/views.parquet."""
    question = arms["questions"][record.question.name]
    return searched_views(record, question["arms"], views, arms["tiers"])


def ask_search(name: str, data: Views, params: VerifyParams) -> Asked:
    """What is trained for one search; planned and not trained. data: with the views of the record.

    A question that is not asked for has no arms and no trunks.
    """
    record = searched_record(name)
    question = data.arms["questions"][name]
    views = own_views(record, data.arms, pl.read_parquet(artefacts.VIEWS))
    runs = measured_by(record, pl.read_parquet(artefacts.RUNS)).filter(
        pl.col("arm").is_in(question["arms"])
        & (pl.col("n_params") == size_of(record))
        & (pl.col("metric") == metric_of(record))
    )
    claim = claim_of(record, data.arms, views, runs)
    arms = {arm_name(name, part): why(record, part) for part in distinct(record)}
    asked = Asked(
        record,
        claim=claim,
        parents=parents_on(parents_of(runs), list(arms), data),
        said=said(record, claim, views),
    )
    if params.questions is not None and name not in params.questions:
        return asked
    top = top_of(params, claim.reach)
    trunks = plan(asked, arms, runs=runs, data=data, top=top, n_draws=params.draws)
    return replace(asked, arms=arms, trunks=trunks)


def why(record: SearchedRecord, part: str) -> str:
    """Why one of SEARCHED_ARMS is trained."""
    return {
        PROPOSAL: "what was proposed",
        REFERENCE: f"{REFERENCES[record.kind]}, which the proposal is held against",
        BEST_RUN: "the best of the runs",
    }[part]


def claim_of(
    record: SearchedRecord,
    arms: Mapping[str, Any],
    views: pl.DataFrame,
    runs: pl.DataFrame,
) -> Claim:
    """What the record predicts. views: of its own arms; runs: of the sweep, at the size and metric."""
    name = record.question.name
    question = arms["questions"][name]
    parts = {arm_name(name, part): values_of(record, part) for part in distinct(record)}
    columns = recipes(views, list(parts), arms["tiers"])
    shared: dict[str, Any] = {
        "n_params": size_of(record),
        "reach": float(runs["flops"].max()),
        "level": record.level,
        "named": arm_name(name, PROPOSAL),
    }
    if record.kind == "upsampling":
        boot = load(name, arms["tiers"]).boot
        return Claim(prediction=CurvePrediction(boot), columns=columns, **shared)
    # here, since these are laws of mixtures too
    from stages.mixtures.phases import domains_of, in_search
    from stages.verification.swarm_claim import swarm_prediction  # laws of mixtures

    domains = domains_of(question)
    prediction = swarm_prediction(
        record,
        question,
        pl.read_parquet(artefacts.fitted_rows(name)),
        share={
            arm: in_search(question, [each.get(name, 0.0) for name in domains])
            for arm, each in parts.items()
        },
        unique=tokens_of(views, question["over"]),
    )
    n_unique = {
        arm: {"n_tokens_unique": own["n_tokens_unique"]} for arm, own in columns.items()
    }
    return Claim(
        prediction=prediction,
        columns=n_unique,
        of_values=prediction.fall is not None,
        **shared,
    )


def tokens_of(views: pl.DataFrame, pools: Sequence[str]) -> np.ndarray:
    """Different tokens of each pool in a resample, mean over resamples, (pools,); 1 of a pool that nothing names."""
    documents = views.unique(["draw", "row"])
    sums = documents.group_by("draw", "pool").agg(pl.col("n_tokens").sum())
    means = dict(sums.group_by("pool").agg(pl.col("n_tokens").mean()).iter_rows())
    return np.array([means.get(pool, 1.0) for pool in pools])


def parents_on(
    trained: Mapping[tuple[str, int], RunSpec], arms: Sequence[str], data: Views
) -> dict[tuple[str, int], RunSpec]:
    """(arm, draw) -> a trunk of the sweep on the same resample that reads the arm, with as large a part of it."""
    first: dict[int, RunSpec] = {}
    for (_, draw), spec in trained.items():
        first.setdefault(draw, spec)
    found = {}
    for draw, spec in first.items():
        for arm in arms:
            view = f"{arm}/{draw}"
            if view not in data.views:
                continue
            unique = spec.unique_tokens
            if unique is not None:
                part = unique / data.views[spec.arm].n_tokens
                unique = round(part * data.views[view].n_tokens)
            decay = f"{arm}:{DECAY}/{draw}"
            found[arm, draw] = replace(
                spec,
                arm=view,
                decay_arm=decay if decay in data.views else None,
                unique_tokens=unique,
            )
    return found


def said(record: SearchedRecord, claim: Claim, views: pl.DataFrame) -> list[Answered]:
    """What the record says of its target, where the runs after it have its size and pools."""
    target = record.target
    if target is None or round(target.n_params) != claim.n_params:
        return []
    drawn = tokens_of(views, list(target.pool_tokens))
    asked = np.array(list(target.pool_tokens.values()))
    if np.abs(drawn - asked).sum() >= SAME_POOLS * asked.sum():
        return []
    best = arm_name(record.question.name, PROPOSAL)
    return [Answered(target.flops, best, record.status)]
