"""Question: at each compute budget, which arm, how sure, and where does the answer flip?
Input: fitted laws with their refits, the views, the control runs. Output: one decision record a question
(docs/design.md lists its fields) and the curves that the page draws. Cost: seconds.
"""

import logging
from typing import Any

import polars as pl
from threadpoolctl import threadpool_limits

from stages.answers.answers import Answers, answers_of, by_size
from stages.answers.branches import (
    asked_of_branches,
    spoken_with_trunk,
    trunk_record,
)
from stages.answers.case import Case, case_of
from stages.answers.parts import (
    base_of,
    decision_law,
    heldout_of,
    largest_pool,
    points,
    spoken_size,
)
from stages.decision.controls import control_effects, detectable
from stages.decision.curves import curves
from stages.decision.provenance import provenance
from stages.decision.record import VERSION, DecisionRecord, Findings, Question, RunnerUp
from stages.decision.scope import Shown, searched, shown_scope
from stages.decision.tables import tables
from stages.decision.verdict import crossings, drawn_flips, stretches
from stages.foundation import artefacts
from stages.foundation.files import whole_file, write_json
from stages.foundation.sealed import AGAIN, read_sealed
from stages.searched.kinds import (
    CURVES_KIND,
    MIXTURE_KIND,
)
from stages.searched.record import Decision, SearchedRecord
from stages.settings.decide import DecideParams

log = logging.getLogger("assay")
RUNS = artefacts.RUNS


def run(params: DecideParams) -> None:
    """A record and curves for every question."""
    arms = read_sealed(artefacts.ARMS, AGAIN)
    summary = {}
    for name in arms["questions"]:
        decision, drawn = decide_any(name, arms, params)
        with whole_file(artefacts.curves(name)) as temporary:
            drawn.write_parquet(temporary)
        decision.write(artefacts.decision(name))
        summary[name] = tracked(decision)
        log.info("decide: %s: %s", name, decision.sentence)
    write_json(artefacts.DECIDE_METRICS, summary)


def decide_any(
    name: str, arms: dict[str, Any], params: DecideParams
) -> tuple[Decision, pl.DataFrame]:
    """The record of a question of any kind, and what its figures draw.

    The matrices are small: with a thread a core the products take half as long again.
    """
    with threadpool_limits(1):
        return _decide_kind(name, arms, params)


def _decide_kind(
    name: str, arms: dict[str, Any], params: DecideParams
) -> tuple[Decision, pl.DataFrame]:
    kind = arms["questions"][name].get("kind")
    if kind == MIXTURE_KIND:
        from stages.searched.mixture import decide_mixture

        return decide_mixture(name, arms, params)
    if kind == CURVES_KIND:
        from stages.searched.upsampling import decide_curve

        return decide_curve(name, arms, params)
    return decide(name, arms, params)


def tracked(decision: Decision) -> dict[str, Any]:
    """The numbers of a decision that DVC shows as metrics."""
    if isinstance(decision, SearchedRecord):
        key = "gain_nats" if decision.unit.startswith("nats") else "gain_bits_per_byte"
        return {"status": decision.status, key: decision.objective.gain[0]}
    return {
        "status": decision.status,
        "flips": len(decision.crossovers),
        "smallest_detectable_effect_nats": decision.smallest_detectable_effect_nats,
    }


def read_by(name: str) -> list[str]:
    """The files that the decision of one question is made of."""
    own = [
        artefacts.fit_record(name),
        artefacts.fit_refits(name),
        artefacts.fitted_rows(name),
    ]
    return [*own, artefacts.ARMS, artefacts.VIEWS, RUNS]


def decide(
    name: str, arms: dict[str, Any], params: DecideParams
) -> tuple[DecisionRecord, pl.DataFrame]:
    """The record of one question and its curves (kind, arm, flops, value, low, high)."""
    question = arms["questions"][name]
    case = case_of(name, arms, asked_of_branches(name, question, params))
    shown = shown_scope(
        case.boot, case.offered, arms=arms, rows=case.rows, params=case.params
    )
    findings = findings_of(case, answers_of(case), shown, stated=params)
    drawn = curves(
        case.boot,
        shown.columns,
        low=shown.scope.low,
        high=shown.scope.high,
        n_params=shown.scope.n_params,
        base=findings.base,
        level=params.level,
    )
    whole = tables(findings, case.boot.fit.cost)
    return DecisionRecord(**dict(findings), tables=whole), drawn


def findings_of(
    case: Case, answers: Answers, shown: Shown, stated: DecideParams
) -> Findings:
    """All that the record holds but its tables. shown: the scope that the figures have; stated: the section decide."""
    trunk = trunk_record(case.name, case.arms, answers.flips, case.scope.n_params)
    rows, fitted, scope, params = case.rows, case.known.fitted, case.scope, case.params
    own = rows.filter(pl.col("arm").is_in(case.names))
    return Findings(
        version=VERSION,
        question=Question(name=case.name, title=case.title),
        sentence=spoken_with_trunk(answers.sentence, trunk),
        status=answers.status,
        reason=answers.reason,
        target=answers.run,
        trunk=trunk,
        metric=case.metric,
        level=params.level,
        n_params=spoken_size(rows, scope, params),
        pool_unique_tokens=largest_pool(case.columns),
        n_draws=rows["pool_draw"].n_unique(),
        measured_to_flops=scope.reach,
        searched_to_flops=scope.high,
        base=base_of(case.names),
        labels=case.labels,
        judges=fitted.judges,
        licences=licences_of(case),
        targets=answers.targets,
        worth=answers.worth,
        crossovers=answers.flips,
        crossovers_drawn=shown.flips
        if shown.flips is not None
        else drawn_flips(answers.flips, scope.low, scope.high),
        crossovers_by_size=by_size(case),
        pairwise=crossings(answers.found),
        law=decision_law(fitted),
        runner_up=runner_up_of(case),
        ranking=fitted.ranking,
        smallest_detectable_effect_nats=detectable(
            case.chance, params.target_flops, reach=scope.reach, level=params.level
        ),
        chance_lead_nats=case.chance,
        controls=control_effects(case.arms, fitted.metric, fitted.judges),
        lr_checks=answers.lr_checks,
        heldout_check=heldout_of(fitted, case.columns),
        regularisation=fitted.regularisation,
        next_run=answers.advice.run,
        dropped=answers.advice.dropped,
        sureness=answers.advice.sure,
        warnings=fitted.law.warnings + fitted.warnings,
        points=points(own, shown.scope.n_params),
        provenance=provenance(
            rows,
            made_from=[RUNS],
            read=read_by(case.name),
            params={"decide": stated.model_dump()},
        ),
    )


def licences_of(case: Case) -> dict[str, dict[str, int]]:
    """Arm of the question -> licence -> documents."""
    every = case.arms.get("licences", {})
    return {arm: counts for arm, counts in every.items() if arm in case.names}


def runner_up_of(case: Case) -> RunnerUp:
    """The next-best law and the arms that are best by it."""
    rival, sequence = case.known.rival, None
    if rival is not None:
        level = case.params.level
        sequence = stretches(
            searched(rival, case.columns, scope=case.scope, level=level)
        )
    return RunnerUp(name=case.known.fitted.runner_up, sequence=sequence)
