"""Question: at each compute budget, which arm, how sure, and where does the answer flip?
Input: fitted laws with their refits, the views, the control runs. Output: one decision record a question
(docs/design.md lists its fields) and the curves that the page draws. Cost: seconds.
"""

import logging
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl
from pydantic import Field

from stages.curation.selecting.recipes import recipes
from stages.decision.controls import chance_lead, control_effects, detectable
from stages.decision.curves import curves
from stages.decision.next_run import next_best
from stages.decision.provenance import provenance
from stages.decision.question_laws import law_named, twins
from stages.decision.record import (
    VERSION,
    DecisionLaw,
    DecisionRecord,
    Findings,
    HeldoutCheck,
    Metric,
    Point,
    Question,
    QuestionFit,
    RunnerUp,
    SpokenSize,
    Target,
    read_question_fit,
)
from stages.decision.tables import tables
from stages.decision.text import arm_label, check_text, sentence
from stages.decision.verdict import crossings, drawn_flips, overall, path_of, stretches
from stages.foundation import artefacts
from stages.foundation.files import whole_file, write_json
from stages.foundation.sealed import AGAIN, read_sealed
from stages.foundation.stage import Section, Stage
from stages.laws.choosing.averaged import Prediction
from stages.laws.choosing.record import prediction_of
from stages.laws.deciding.compare import compare
from stages.laws.deciding.crossover import Crossovers, crossovers
from stages.laws.deciding.objections import withheld
from stages.laws.deciding.path import ArmColumns
from stages.runs.study import law_rows

log = logging.getLogger("assay")
RUNS = artefacts.RUNS


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
    arms = read_sealed(artefacts.ARMS, AGAIN)
    summary = {}
    for name in arms["questions"]:
        decision, drawn = decide(name, arms, params)
        with whole_file(artefacts.curves(name)) as temporary:
            drawn.write_parquet(temporary)
        decision.write(artefacts.decision(name))
        summary[name] = {
            "status": decision.status,
            "flips": len(decision.crossovers),
            "smallest_detectable_effect_nats": decision.smallest_detectable_effect_nats,
        }
        log.info("decide: %s: %s", name, decision.sentence)
    write_json(artefacts.DECIDE_METRICS, summary)


def read_by(name: str) -> list[str]:
    """The files that the decision of one question is made of."""
    own = [
        artefacts.fit_record(name),
        artefacts.fit_refits(name),
        artefacts.fitted_rows(name),
    ]
    return [*own, artefacts.ARMS, artefacts.VIEWS, RUNS]


@dataclass(frozen=True)
class Evidence:
    """What is known of one question. rows: the runs that were fitted; rival: refits of the next-best law."""

    rows: pl.DataFrame
    fitted: QuestionFit
    boot: Prediction
    rival: Prediction | None


def load(name: str, tiers: list[str]) -> Evidence:
    """The fitted rows, the fit record, and the refits of the chosen law and the runner-up."""
    states = read_sealed(artefacts.fit_refits(name), AGAIN)
    boots = {
        role: prediction_of(state, lambda law: law_named(law, tiers))
        for role, state in states.items()
    }
    return Evidence(
        rows=pl.read_parquet(artefacts.fitted_rows(name)),
        fitted=read_question_fit(artefacts.fit_record(name)),
        boot=boots["law"],
        rival=boots.get("runner_up"),
    )


@dataclass(frozen=True)
class Scope:
    """The model size that the answer speaks for; its compute in FLOPs, measured from low to reach, searched to high."""

    n_params: int
    low: float
    reach: float
    high: float


def scope_of(rows: pl.DataFrame, params: DecideParams) -> Scope:
    """The size asked for, else the largest; of a size that was not trained the compute of all runs."""
    sizes = sorted(rows["n_params"].unique())
    n_params = params.n_params or sizes[-1]
    flops = (
        rows.filter(n_params=n_params)["flops"] if n_params in sizes else rows["flops"]
    )
    reach = float(flops.max())
    return Scope(
        n_params=n_params,
        low=float(flops.min()),
        reach=reach,
        high=reach * 10**params.search_decades,
    )


def decide(
    name: str, arms: dict[str, Any], params: DecideParams
) -> tuple[DecisionRecord, pl.DataFrame]:
    """The record of one question and its curves (kind, arm, flops, value, low, high)."""
    question = arms["questions"][name]
    names, tiers = question["arms"], arms["tiers"]
    known = load(name, tiers)
    rows, fitted, boot = known.rows, known.fitted, known.boot
    pairs = twins(arms, names)
    views = pl.read_parquet(artefacts.VIEWS)
    twin_columns = recipes(views, [*names, *pairs], tiers)
    columns = {arm: twin_columns[arm] for arm in names}
    scope = scope_of(rows, params)
    chance = chance_lead(
        boot,
        twin_columns,
        pairs=pairs,
        flops=params.target_flops,
        n_params=scope.n_params,
        level=params.level,
    )
    targets = compared(known, columns, scope=scope, chance=chance, params=params)
    found = searched(boot, columns, scope=scope, level=params.level)
    rival_found = (
        searched(known.rival, columns, scope=scope, level=params.level)
        if known.rival
        else None
    )
    path, flips = path_of(found, scope.reach)
    status, reason = overall(targets, flips, scope.reach)
    labels = {arm: arm_label(arm, arms["arms"][arm]) for arm in names}
    findings = Findings(
        version=VERSION,
        question=Question(name=name, title=question["title"]),
        sentence=sentence(path, flips, labels=labels, status=status, targets=targets),
        status=status,
        reason=reason,
        metric=metric_record(fitted.metric, rows["modality"][0]),
        level=params.level,
        n_params=spoken_size(rows, scope, params),
        pool_unique_tokens=largest_pool(columns),
        n_draws=rows["pool_draw"].n_unique(),
        measured_to_flops=scope.reach,
        searched_to_flops=scope.high,
        base=base_of(names),
        labels=labels,
        licences={
            arm: counts
            for arm, counts in arms.get("licences", {}).items()
            if arm in names
        },
        targets=targets,
        crossovers=flips,
        crossovers_drawn=drawn_flips(flips, scope.low, scope.high),
        crossovers_by_size=by_size(boot, columns, rows=rows, params=params),
        pairwise=crossings(found),
        law=decision_law(fitted),
        runner_up=RunnerUp(
            name=fitted.runner_up,
            sequence=stretches(rival_found) if rival_found else None,
        ),
        ranking=fitted.ranking,
        smallest_detectable_effect_nats=detectable(
            chance, params.target_flops, reach=scope.reach, level=params.level
        ),
        chance_lead_nats=chance,
        controls=control_effects(arms, fitted.metric),
        heldout_check=heldout_of(fitted, columns),
        regularisation=fitted.regularisation,
        next_run=next_best(
            boot,
            columns,
            targets=targets,
            flips=flips,
            rows=rows,
            n_params=scope.n_params,
        ),
        warnings=fitted.law.warnings + fitted.warnings,
        points=points(rows.filter(pl.col("arm").is_in(names)), scope.n_params),
        provenance=provenance(
            rows,
            made_from=[RUNS],
            read=read_by(name),
            params={"decide": params.model_dump()},
        ),
    )
    drawn = curves(
        boot,
        columns,
        low=scope.low,
        high=scope.high,
        n_params=scope.n_params,
        base=findings.base,
        level=params.level,
    )
    shown = tables(findings, boot.fit.cost)
    return DecisionRecord(**dict(findings), tables=shown), drawn


def compared(
    known: Evidence,
    columns: ArmColumns,
    scope: Scope,
    chance: list[float | None],
    params: DecideParams,
) -> list[Target]:
    """The comparison at every target budget. chance: lead that equal arms show there, unit of the metric."""
    rows = known.rows
    at_size = rows.filter(n_params=scope.n_params)
    usual = float((at_size if len(at_size) else rows)["value"].mean())
    targets = []
    for flops, effect in zip(params.target_flops, chance, strict=True):
        [decision] = compare(
            known.boot,
            [flops],
            columns,
            n_params=scope.n_params,
            level=params.level,
            decide_at=params.decide_at,
            smallest_effect=effect,
            tolerance=params.tie_fraction * usual,
            max_decades=params.max_decades,
            runner_up=known.rival,
        )
        judged = withheld(decision, law_rows(rows), columns)
        targets.append(Target(**asdict(judged)))
    return targets


def searched(
    boot: Prediction, columns: ArmColumns, scope: Scope, level: float
) -> Crossovers:
    """The crossings of all arms at one size within the searched compute."""
    return crossovers(
        boot,
        columns,
        flops_low=scope.low,
        flops_high=scope.high,
        n_params=scope.n_params,
        level=level,
    )


def by_size(
    boot: Prediction,
    columns: ArmColumns,
    rows: pl.DataFrame,
    params: DecideParams,
) -> dict[str, list]:
    """Every trained size as text -> the best arms by stretch of its own compute."""
    sizes = sorted(rows["n_params"].unique())
    scopes = {
        size: scope_of(rows, params.model_copy(update={"n_params": size}))
        for size in sizes
    }
    return {
        str(size): stretches(searched(boot, columns, scope=scope, level=params.level))
        for size, scope in scopes.items()
    }


def metric_record(metric: str, modality: str) -> Metric:
    """Name, held-out domain and unit; fields of the record that end in _nats are in this unit."""
    kind, _, domain = metric.partition("_")
    unit = "nats/token" if modality == "text" else "nats/image"
    return Metric(
        name=metric, domain=domain, unit="share wrong" if kind == "error" else unit
    )


def spoken_size(rows: pl.DataFrame, scope: Scope, params: DecideParams) -> SpokenSize:
    """The size that the answer speaks for, and who chose it."""
    return SpokenSize(
        value=scope.n_params,
        why="set by decide.n_params" if params.n_params else "the largest size trained",
        trained=sorted(rows["n_params"].unique()),
    )


def largest_pool(columns: ArmColumns) -> int:
    """Different tokens of the arm that has the most."""
    return round(max(own.get("n_tokens_unique", 0) for own in columns.values()))


def base_of(names: list[str]) -> str:
    """The arm that differences are taken from: everything where it is an arm, else the last."""
    return "keep_100" if "keep_100" in names else names[-1]


def decision_law(fitted: QuestionFit) -> DecisionLaw:
    """The law of the fit with why it was chosen."""
    law = fitted.law
    return DecisionLaw(**dict(law), name=law.law, chosen_because=fitted.reason)


def heldout_of(fitted: QuestionFit, columns: ArmColumns) -> HeldoutCheck:
    """The held-out check of the arms of the question, with its sentence."""
    check = fitted.holdout
    own = [row for row in check.rows if row.arm in columns]
    return HeldoutCheck(**dict(check) | {"rows": own}, text=check_text(fitted))


def points(rows: pl.DataFrame, n_params: int) -> list[Point]:
    """Measured means over draws at the size that the answer speaks for."""
    means = (
        rows.filter(n_params=n_params)
        .group_by("arm", "flops", "n_tokens_seen", maintain_order=True)
        .agg(pl.col("value").mean(), spread=pl.col("value").std())
    )
    return [Point(**row) for row in means.iter_rows(named=True)]


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
        RUNS,
    ),
    outs=(artefacts.CURVES,),
    tracked=(artefacts.DECISIONS,),
    metrics=(artefacts.DECIDE_METRICS,),
    shown=f"`{artefacts.decision('<question>')}`",
)
