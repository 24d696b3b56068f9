"""Question: does what was decided hold beyond the compute that it was fitted to?
Input: decisions, their refits, the sweep's trunks and views. Output: one JSON file a trunk that was carried on (kept
over reruns), a record a question of predicted against measured, and lines of the track record over all decisions.
Nothing is fitted to these runs. Cost: three to six trunks a question at `times` the largest fitted compute.
"""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from pydantic import Field

from stages import images
from stages.curation.selecting.recipes import recipes
from stages.decide import load
from stages.decision.provenance import git_commit
from stages.decision.question_laws import twins
from stages.decision.record import DecisionRecord, read_decision
from stages.foundation import artefacts
from stages.foundation.errors import ParamsError
from stages.foundation.files import (
    content_hash,
    read_json,
    whole_file,
    whole_folder,
    write_json,
)
from stages.foundation.stage import Section, Stage
from stages.laws.choosing.bootstrap import Bootstrap
from stages.runs.run_files import CARRIED_ON
from stages.sweeping.views import Views, load_views, proxy_data
from stages.verification.carried_on import (
    Trunk,
    best_settings,
    carried_specs,
    is_trained,
    parents_of,
    table_after,
    trained_after,
    trunks_of,
    untrained,
)
from stages.verification.chosen import (
    arms_to_train,
    budgets_to_train,
    settings_by_budget,
    tokens_of,
    unfiltered_arm,
    winners,
)
from stages.verification.judged import Claim, Rows, judge
from stages.verification.record import VERSION, Verification
from stages.verification.track_record import append, claims_of
from stages.verification.words import lead_row, outcome, run_row

log = logging.getLogger("assay")


class VerifyParams(Section):
    train: bool = Field(True, description="false: judge only what is there")
    times: float = Field(
        8.0,
        gt=1,
        le=1e4,
        description="compute to train to, times the largest fitted at the size",
    )
    flops: float | None = Field(
        None, gt=0, description="compute to train to in FLOPs (6ND), in place of times"
    )
    best_arms: int = Field(
        2,
        ge=1,
        le=4,
        description=(
            "arms that are predicted best there; the unfiltered one is trained too"
        ),
    )
    control: bool = Field(
        False, description="also the twins of these arms, where the sweep has them"
    )
    draws: int = Field(1, ge=1, description="resamples of the pool that are trained")
    questions: list[str] | None = Field(
        None, min_length=1, description="questions to train for; null: all of them"
    )
    device: str = Field("auto", pattern="^(auto|cpu|cuda)$")


@dataclass(frozen=True)
class Predicted:
    """What a decision predicts for rows of the runs table with a column `arm`."""

    boot: Bootstrap

    def point(self, rows: Rows) -> np.ndarray:
        """The value at each row, (rows,)."""
        return self.boot.fit.predict(rows)

    def new_runs(self, rows: Rows) -> np.ndarray:
        """The value of one new run at each row in each draw, (draws, rows)."""
        return self.boot.predict(rows, new_run=True)


def load_prediction(question: str, tiers: list[str]) -> Predicted:
    """The prediction of a question as the decision had it, from the stored refits."""
    return Predicted(load(question, tiers).boot)


def run(params: VerifyParams) -> None:
    """Train what is missing, then write the records of all that was trained."""
    arms = read_json(artefacts.ARMS)
    known = list(arms["questions"])
    if unknown := set(params.questions or []) - set(known):
        raise ParamsError(
            f"verify.questions: no question {min(unknown)!r}; there are"
            f" {', '.join(known)}"
        )
    if images.are_pooled():
        log.info("verify: image proxies are not carried on; nothing is trained")
        asked: list[Asked] = []
    else:
        data = load_views()
        asked = [ask(name, data, params) for name in known]
        if params.train:
            train(asked, data, params.device)
    tables = [table_after(each.trained(data)) for each in asked]
    write_tables(tables)
    records = [verified(each, table) for each, table in zip(asked, tables, strict=True)]
    with whole_folder(artefacts.VERIFICATIONS) as folder:
        for record in records:
            record.write(folder / f"{record.question}.json")
    commit = git_commit()
    append(
        artefacts.TRACK_RECORD,
        [claim for record in records for claim in claims_of(record, commit)],
    )
    write_json(artefacts.VERIFY_METRICS, {r.question: metrics(r) for r in records})
    for record in records:
        log.info("verify: %s: %s", record.question, record.sentence)


@dataclass(frozen=True)
class Asked:
    """One question with what is to be trained for it. arms: arm -> why; parents: the sweep's trunks."""

    decision: DecisionRecord
    claim: Claim
    arms: dict[str, str]
    parents: dict[tuple[str, int], Any]
    trunks: list[Trunk]

    def trained(self, data: Views) -> list[dict[str, Any]]:
        """Every run on disk that carries on one of the trunks."""
        return trained_after(self.parents, self.trunks, data)


def ask(name: str, data: Views, params: VerifyParams) -> Asked:
    """Which arms, to which budgets, at which settings; planned and not trained."""
    decision = read_decision(artefacts.decision(name))
    arms, tiers = data.arms, data.arms["tiers"]
    names = arms["questions"][name]["arms"]
    pairs = twins(arms, names)
    n_params = size_of(decision)
    runs = pl.read_parquet(artefacts.RUNS).filter(
        pl.col("arm").is_in([*names, *pairs])
        & (pl.col("n_params") == n_params)
        & (pl.col("metric") == decision.metric.name)
    )
    views = pl.read_parquet(artefacts.VIEWS)
    claim = Claim(
        prediction=load_prediction(name, tiers),
        columns=recipes(views, [*names, *pairs], tiers),
        n_params=n_params,
        reach=float(runs["flops"].max()),
        level=decision.level,
    )
    parents = parents_of(runs)
    top = top_of(params, claim.reach)
    chosen = arms_to_train(
        claim.values(names, top),
        unfiltered_arm(
            {arm: arms["arms"][arm] for arm in names},
            {arm: claim.columns[arm] for arm in names},
        ),
        n_best=params.best_arms,
    )
    if params.control:
        chosen |= {
            twin: f"control, the same data as {arm}"
            for twin, arm in pairs.items()
            if arm in chosen
        }
    wanted = params.questions is None or name in params.questions
    trunks = (
        plan(
            claim,
            chosen,
            parents,
            decision=decision,
            runs=runs,
            data=data,
            top=top,
            n_draws=params.draws,
        )
        if wanted
        else []
    )
    return Asked(decision, claim=claim, arms=chosen, parents=parents, trunks=trunks)


def size_of(decision: DecisionRecord) -> int:
    """The size that the decision speaks for; where it was not trained, the largest that was."""
    size = decision.n_params
    return size.value if size.value in size.trained else max(size.trained)


def top_of(params: VerifyParams, reach: float) -> float:
    """The largest compute to train to, FLOPs. ParamsError where it is within what was fitted."""
    top = params.flops or params.times * reach
    if top <= reach:
        raise ParamsError(
            f"verify.flops: {top:.3g} is not above the {reach:.3g} FLOPs that were"
            " fitted; raise it"
        )
    return top


def plan(
    claim: Claim,
    chosen: dict[str, str],
    parents: dict[tuple[str, int], Any],
    *,
    decision: DecisionRecord,
    runs: pl.DataFrame,
    data: Views,
    top: float,
    n_draws: int,
) -> list[Trunk]:
    """The trunks of the chosen arms, at the settings that won in the sweep: see settings_by_budget."""
    won = winners(runs)
    draws = sorted(runs["pool_draw"].unique())[:n_draws]
    targets = [target.flops for target in decision.targets]
    specs = []
    for arm in chosen:
        n_unique = claim.columns[arm]["n_tokens_unique"]
        for draw in draws:
            parent = parents[arm, draw]
            flops = budgets_to_train(
                claim.reach, top, targets=targets, schedule=parent.schedule
            )
            tokens = tokens_of(flops, claim.n_params, parent.batch_tokens)
            by_setting = settings_by_budget(won, arm, tokens, n_unique=n_unique)
            for setting, budgets in by_setting.items():
                pool = data.views[parent.arm].n_tokens
                specs += carried_specs(parent, budgets, setting, pool_tokens=pool)
    there = trained_after(parents, [], data)
    return trunks_of(untrained(specs, there), data)


def train(asked: list[Asked], data: Views, device: str) -> None:
    """Train every planned trunk that is not on disk."""
    by_id = {trunk["trunk_id"]: trunk for each in asked for trunk in each.trunks}
    missing = [trunk for trunk in by_id.values() if not is_trained(trunk)]
    log.info("verify: %d trunks to train", len(missing))
    if missing:
        from stages.sweeping.train_trunks import train as train_trunks  # loads torch

        train_trunks(missing, proxy_data(data), device, folder=CARRIED_ON)


def write_tables(tables: list[pl.DataFrame]) -> None:
    """All runs after the decisions as one runs table, and the folder of their files even where there are none."""
    CARRIED_ON.path.mkdir(parents=True, exist_ok=True)
    whole = pl.concat(tables or [table_after([])], how="diagonal").unique(
        ["run_id", "metric"], keep="first", maintain_order=True
    )
    with whole_file(artefacts.VERIFY_RUNS) as temporary:
        whole.write_parquet(temporary)


def verified(asked: Asked, table: pl.DataFrame) -> Verification:
    """The record of one question. table: the runs after its decision."""
    decision, claim = asked.decision, asked.claim
    metric = decision.metric.name
    measured = best_settings(table, metric, above=claim.reach)
    found = judge(claim, measured, decision.targets)
    labels = decision.labels | {
        arm: why for arm, why in asked.arms.items() if arm not in decision.labels
    }
    labels |= {run.arm: run.arm for run in found.runs if run.arm not in labels}
    errors = [abs(run.predicted / run.measured - 1) for run in found.runs]
    right = [each.right for each in found.verdicts if each.right is not None]
    return Verification(
        version=VERSION,
        question=decision.question.name,
        decision=decision_hash(decision),
        metric=metric,
        level=claim.level,
        n_params=claim.n_params,
        fitted_to_flops=claim.reach,
        labels=labels,
        arms={
            run.arm: asked.arms.get(run.arm, "asked for before") for run in found.runs
        },
        runs=found.runs,
        leads=found.leads,
        verdicts=found.verdicts,
        coverage=share(run.inside for run in found.runs),
        mean_error=share(errors),
        lead_coverage=share(lead.inside for lead in found.leads),
        decided_right=sum(right),
        decided_wrong=len(right) - sum(right),
        sentence=outcome(found.runs, found.leads, found.verdicts, level=claim.level),
        table=[run_row(run, labels) for run in found.runs],
        lead_table=[lead_row(lead, found.verdicts, labels) for lead in found.leads],
    )


def decision_hash(decision: DecisionRecord) -> str:
    """What a decision rests on: its question, the runs that were fitted and the law."""
    fitted = decision.provenance.run_ids
    return content_hash([decision.question.name, fitted, decision.law.name])


def share(values: Any) -> float | None:
    """The mean; None of nothing."""
    listed = list(values)
    return sum(listed) / len(listed) if listed else None


def metrics(record: Verification) -> dict[str, Any]:
    """What DVC and MLflow track of a verification."""
    rounded = {
        name: round(value, 5)
        for name in ("coverage", "mean_error", "lead_coverage")
        if (value := getattr(record, name)) is not None
    }
    return {
        "runs": len(record.runs),
        **rounded,
        "decided_right": record.decided_right,
        "decided_wrong": record.decided_wrong,
    }


stage = Stage(
    run=run,
    params=VerifyParams,
    question=("Does what was decided hold beyond the compute that it was fitted to?"),
    deps=(
        artefacts.DECISIONS,
        artefacts.FITS,
        artefacts.ARMS,
        artefacts.VIEWS,
        artefacts.RUNS,
        artefacts.RUN_FILES,
        artefacts.PACKED_POOLS,
        artefacts.PACKED_HELD_OUT,
        artefacts.MANIFEST,
    ),
    outs=(artefacts.VERIFY_RUNS,),
    tracked=(artefacts.VERIFICATIONS,),
    resumable=(artefacts.VERIFY_RUN_FILES,),
    kept=(artefacts.TRACK_RECORD,),
    metrics=(artefacts.VERIFY_METRICS,),
    shown=f"`{artefacts.verification('<question>')}`, `{artefacts.TRACK_RECORD}`",
)
