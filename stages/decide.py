"""Question: at each compute budget, which arm, how sure, and where does the answer flip?
Input: fitted laws with their refits, the views, the control runs. Output: one decision record a question
(docs/design.md lists its fields) and the curves that the page draws. Cost: seconds.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import polars as pl

from stages.decision.at_target import (
    answer_of,
    headline,
    target_run,
)
from stages.decision.controls import (
    chance_lead,
    control_effects,
    detectable,
    lr_check,
    lr_runs,
    under_lower_lr,
)
from stages.decision.curves import curves
from stages.decision.next_run import Advised, advised, next_best
from stages.decision.provenance import provenance
from stages.decision.question_laws import Evidence, load, twins
from stages.decision.record import (
    VERSION,
    DecisionLaw,
    DecisionRecord,
    Findings,
    HeldoutCheck,
    LrCheck,
    Metric,
    Point,
    Question,
    QuestionFit,
    RunnerUp,
    SpokenSize,
    Target,
)
from stages.decision.scope import (
    Scope,
    offers,
    scope_of,
    searched,
    shown_scope,
    without_target,
)
from stages.decision.tables import tables
from stages.decision.text import arm_label, check_text, sentence
from stages.decision.verdict import crossings, drawn_flips, overall, path_of, stretches
from stages.decision.worth import baseline_of, spoken_worth, worth_records
from stages.foundation import artefacts
from stages.foundation.files import whole_file, write_json
from stages.foundation.sealed import AGAIN, read_sealed
from stages.foundation.stage import Stage
from stages.judges.veto import judged_targets
from stages.laws.choosing.averaged import Prediction
from stages.laws.deciding.compare import compare
from stages.laws.deciding.objections import withheld
from stages.laws.deciding.path import ArmColumns
from stages.presentation.metric_words import metric_parts, metric_unit, metric_words
from stages.runs.judge_record import Judge
from stages.runs.study import law_rows
from stages.searched.mixture import decide_mixture
from stages.searched.record import Decision, SearchedRecord
from stages.searched.swarm import CURVES_KIND, MIXTURE_KIND
from stages.searched.upsampling import decide_curve
from stages.settings.decide import DecideParams

log = logging.getLogger("assay")
SEARCHES = {MIXTURE_KIND: decide_mixture, CURVES_KIND: decide_curve}
RUNS = artefacts.RUNS


def decide_agrees(params: dict[str, Any]) -> tuple[list[str], str] | None:
    """Where decide.baseline names no arm, or decide.n_params another size than the target's: keys and fault."""
    named, arms = params["decide"].baseline, params["arms"].arms
    for judge in params["decide"].veto:
        if judge not in params["fit"].judges:
            judges = ", ".join(params["fit"].judges) or "none"
            return (
                ["decide", "veto"],
                f"no judge {judge!r}; fit.judges are {judges}",
            )
    target, n_params = params["decide"].target, params["decide"].n_params
    if target is not None and n_params != round(target.params):
        return (
            ["decide", "n_params"],
            f"{n_params} is not the size of target.params, {target.params:g}; leave it out",
        )
    if named is None or named in arms:
        return None
    return (
        ["decide", "baseline"],
        f"no arm {named!r}; arms are {', '.join(arms)}",
    )


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
    """The record of a question of any kind, and what its figures draw."""
    kind = arms["questions"][name].get("kind")
    return SEARCHES.get(kind, decide)(name, arms, params)


def tracked(decision: Decision) -> dict[str, Any]:
    """The numbers of a decision that DVC shows as metrics."""
    if isinstance(decision, SearchedRecord):
        return {"status": decision.status, "gain_nats": decision.objective.gain[0]}
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
    names = question["arms"]
    known = load(name, arms["tiers"])
    rows, fitted, boot = known.rows, known.fitted, known.boot
    pairs = twins(arms, names)
    offered, twin_columns = offers(names, list(pairs), arms, params, rows)
    columns, scope = offered.there, scope_of(rows, params)
    chance = chance_lead(
        boot,
        twin_columns,
        pairs=pairs,
        flops=params.target_flops,
        n_params=scope.n_params,
        level=params.level,
    )
    labels = {arm: arm_label(arm, arms["arms"][arm]) for arm in names}
    baseline = baseline_of(names, arms["arms"], columns, named=params.baseline)
    in_force = judged_targets(
        known.judges,
        compared(known, columns, scope=scope, chance=chance, params=params),
        columns,
        baseline=baseline,
        n_params=scope.n_params,
        params=params,
        labels=labels,
    )
    targets, lr_checks = at_lower_lr(
        in_force, lr_runs(arms, fitted.metric, names, fitted.judges)
    )
    found = searched(boot, columns, scope=scope, level=params.level)
    rival_found = (
        searched(known.rival, columns, scope=scope, level=params.level)
        if known.rival
        else None
    )
    path, flips = path_of(found, scope.reach)
    status, reason = overall(targets, flips, scope.reach)
    run = None
    if params.target is not None:
        run = target_run(
            params.target,
            compared=targets,
            columns=columns,
            rows=rows,
            arms=arms,
            labels=labels,
        )
        answer = answer_of(params.target, targets)
        advice = advised(
            boot,
            columns,
            answer,
            rows=rows,
            n_params=scope.n_params,
            run_columns=offered.drawn,
        )
        status, reason = answer.status, f"At the target: {answer.reason}."
    else:
        found_next = next_best(
            boot,
            columns,
            targets=targets,
            flips=flips,
            rows=rows,
            n_params=scope.n_params,
            run_columns=offered.drawn,
        )
        advice = Advised(found_next, {})
    worth = worth_records(
        boot,
        targets,
        columns,
        baseline=baseline,
        found=found,
        n_params=scope.n_params,
        level=params.level,
        labels=labels,
        target=params.target,
    )
    metric = metric_record(fitted.metric, rows["modality"][0], fitted.judges)
    # with a target the budgets on the way are not asked about, and their stretches not judged
    judged = targets if run is None else ()
    said = sentence(path, flips, labels=labels, status=status, targets=judged)
    spoken = spoken_worth(worth, scope.reach, params.target)
    if run is not None:
        head = headline(run, answer, labels, metric_words(metric.unit).unit)
        said = f"{head}{spoken} By compute at this size: {said[0].lower()}{said[1:]}"
        spoken = ""
    shown = shown_scope(boot, offered, arms=arms, rows=rows, params=params)
    findings = Findings(
        version=VERSION,
        question=Question(name=name, title=question["title"]),
        sentence=said + spoken,
        status=status,
        reason=reason,
        target=run,
        metric=metric,
        level=params.level,
        n_params=spoken_size(rows, scope, params),
        pool_unique_tokens=largest_pool(columns),
        n_draws=rows["pool_draw"].n_unique(),
        measured_to_flops=scope.reach,
        searched_to_flops=scope.high,
        base=base_of(names),
        labels=labels,
        judges=fitted.judges,
        licences={
            arm: counts
            for arm, counts in arms.get("licences", {}).items()
            if arm in names
        },
        targets=targets,
        worth=worth,
        crossovers=flips,
        crossovers_drawn=shown.flips
        if shown.flips is not None
        else drawn_flips(flips, scope.low, scope.high),
        crossovers_by_size=by_size(boot, offered.drawn, rows=rows, params=params),
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
        controls=control_effects(arms, fitted.metric, fitted.judges),
        lr_checks=lr_checks,
        heldout_check=heldout_of(fitted, columns),
        regularisation=fitted.regularisation,
        next_run=advice.run,
        dropped=advice.dropped,
        sureness=advice.sure,
        warnings=fitted.law.warnings + fitted.warnings,
        points=points(rows.filter(pl.col("arm").is_in(names)), shown.scope.n_params),
        provenance=provenance(
            rows,
            made_from=[RUNS],
            read=read_by(name),
            params={"decide": params.model_dump()},
        ),
    )
    drawn = curves(
        boot,
        shown.columns,
        low=shown.scope.low,
        high=shown.scope.high,
        n_params=shown.scope.n_params,
        base=findings.base,
        level=params.level,
    )
    return (
        DecisionRecord(**dict(findings), tables=tables(findings, boot.fit.cost)),
        drawn,
    )


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


def at_lower_lr(
    targets: list[Target], runs: pl.DataFrame
) -> tuple[list[Target], list[LrCheck]]:
    """The comparisons with what the control of the learning rate says of their winners. runs: of `lr_runs`."""
    judged, checks = [], []
    for target in targets:
        n_tokens = target.n_tokens[target.best]
        check = lr_check(runs, target.best, n_tokens=n_tokens, flops=target.flops)
        judged.append(under_lower_lr(target, check))
        checks += [] if check is None else [check]
    return judged, checks


def by_size(
    boot: Prediction,
    columns: ArmColumns,
    rows: pl.DataFrame,
    params: DecideParams,
) -> dict[str, list]:
    """Every trained size as text -> the best arms by stretch of its own compute."""
    sizes = sorted(rows["n_params"].unique())
    scopes = {size: scope_of(rows, without_target(params, size)) for size in sizes}
    return {
        str(size): stretches(searched(boot, columns, scope=scope, level=params.level))
        for size, scope in scopes.items()
    }


def metric_record(metric: str, modality: str, judges: Sequence[Judge] = ()) -> Metric:
    """Name, held-out domain (or judges) and unit; fields of the record that end in _nats are in this unit."""
    used = [f"{judge.name} ({judge.weight:.2g})" for judge in judges if judge.used]
    return Metric(
        name=metric,
        domain=", ".join(used) or metric_parts(metric)[1],
        unit=metric_unit(metric, modality),
    )


def spoken_size(rows: pl.DataFrame, scope: Scope, params: DecideParams) -> SpokenSize:
    """The size that the answer speaks for, and who chose it."""
    return SpokenSize(
        value=scope.n_params,
        why=_why_this_size(params),
        trained=sorted(rows["n_params"].unique()),
    )


def _why_this_size(params: DecideParams) -> str:
    if params.target is not None:
        return "that of the target"
    return "set by decide.n_params" if params.n_params else "the largest size trained"


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
    agrees=decide_agrees,
    follows=("target",),
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
