"""What is said of a case: the comparison at every budget, the run to make next, the answer in words."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import polars as pl

from stages.answers.case import Case
from stages.decision.at_budgets import Flip, Stretch, Target, TargetRun, Worth
from stages.decision.at_target import (
    answer_of,
    generation_text,
    headline,
    target_run,
)
from stages.decision.controls import lr_check, lr_runs, under_lower_lr
from stages.decision.next_run import Advised, advised, next_best
from stages.decision.record import LrCheck
from stages.decision.scope import scope_of, searched, without_target
from stages.decision.text import sentence
from stages.decision.verdict import overall, path_of, stretches
from stages.decision.worth import spoken_worth, worth_records
from stages.judges.veto import judged_targets
from stages.laws.deciding.compare import compare
from stages.laws.deciding.crossover import Crossovers
from stages.laws.deciding.generation import generation_flops
from stages.laws.deciding.objections import withheld
from stages.laws.deciding.path import ArmColumns
from stages.presentation.metric_words import metric_words
from stages.runs.study import law_rows


@dataclass(frozen=True)
class Answers:
    """targets: the comparison of each budget; run: that of the target, None where only budgets are asked about."""

    targets: list[Target]
    lr_checks: list[LrCheck]
    found: Crossovers
    flips: list[Flip]
    status: str
    reason: str
    run: TargetRun | None
    advice: Advised
    worth: list[Worth]
    sentence: str


def answers_of(case: Case) -> Answers:
    """Every answer of one case."""
    targets, lr_checks = targets_of(case)
    found = searched(case.boot, case.columns, scope=case.scope, level=case.params.level)
    path, flips = path_of(found, case.scope.reach)
    status, reason = overall(targets, flips, case.scope.reach)
    run = None
    if case.params.target is not None:
        answer = answer_of(case.params.target, targets)
        status, reason = answer.status, f"At the target: {answer.reason}."
        run = target_run(
            case.params.target,
            compared=targets,
            columns=case.columns,
            rows=case.rows,
            arms=case.arms,
            labels=case.labels,
        )
    worth = worth_records(
        case.boot,
        targets,
        case.columns,
        baseline=case.baseline,
        found=found,
        n_params=case.scope.n_params,
        level=case.params.level,
        labels=case.labels,
        target=case.params.target,
    )
    # with a target the budgets on the way are not asked about, and their stretches not judged
    along = sentence(
        path,
        flips,
        labels=case.labels,
        status=status,
        targets=targets if run is None else (),
    )
    return Answers(
        targets=targets,
        lr_checks=lr_checks,
        found=found,
        flips=flips,
        status=status,
        reason=reason,
        run=run,
        advice=advice_of(case, targets, flips),
        worth=worth,
        sentence=said(case, targets, run=run, worth=worth, along=along),
    )


def targets_of(case: Case) -> tuple[list[Target], list[LrCheck]]:
    """The comparison at every budget, with what vetoes and the control of the learning rate say of its winner."""
    judged = judged_targets(
        case.known.judges,
        compared(case),
        case.columns,
        baseline=case.baseline,
        n_params=case.scope.n_params,
        params=case.params,
        labels=case.labels,
    )
    fitted = case.known.fitted
    runs = lr_runs(case.arms, fitted.metric, case.names, fitted.judges)
    return at_lower_lr(judged, runs)


def compared(case: Case) -> list[Target]:
    """The comparison at every target budget, less what the runs speak against."""
    rows, params = case.rows, case.params
    at_size = rows.filter(n_params=case.scope.n_params)
    usual = float((at_size if len(at_size) else rows)["value"].mean())
    targets = []
    for flops, effect in zip(params.target_flops, case.chance, strict=True):
        [decision] = compare(
            case.boot,
            [flops],
            case.columns,
            n_params=case.scope.n_params,
            level=params.level,
            decide_at=params.decide_at,
            smallest_effect=effect,
            tolerance=params.tie_fraction * usual,
            max_decades=params.max_decades,
            runner_up=case.known.rival,
        )
        judged = withheld(decision, law_rows(rows), case.columns)
        spent = generated(case.columns, judged.n_tokens)
        targets.append(Target(**asdict(judged), generation_flops=spent))
    return targets


def generated(columns: ArmColumns, n_tokens: Mapping[str, float]) -> dict[str, float]:
    """Arm -> FLOPs of generating what it uses of these tokens; arms without generated text are left out."""
    spent = {
        arm: float(generation_flops(columns[arm], tokens))
        for arm, tokens in n_tokens.items()
    }
    return {arm: flops for arm, flops in spent.items() if flops}


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


def advice_of(case: Case, targets: list[Target], flips: list[Flip]) -> Advised:
    """The run to make next: by which the answer at the target becomes surest, else that settles most between flips."""
    shared = {
        "rows": case.rows,
        "n_params": case.scope.n_params,
        "run_columns": case.offered.drawn,
    }
    if case.params.target is not None:
        answer = answer_of(case.params.target, targets)
        return advised(case.boot, case.columns, answer, **shared)
    found = next_best(case.boot, case.columns, targets=targets, flips=flips, **shared)
    return Advised(found, {})


def said(
    case: Case,
    targets: list[Target],
    *,
    run: TargetRun | None,
    worth: list[Worth],
    along: str,
) -> str:
    """The whole answer. along: which arm up to which budget."""
    target = case.params.target
    spoken = spoken_worth(worth, case.scope.reach, target)
    if run is None or target is None:
        return along + spoken
    unit = metric_words(case.metric.unit).unit
    answer = answer_of(target, targets)
    head = headline(run, answer, case.labels, unit) + generation_text(
        answer, case.labels
    )
    return f"{head}{spoken} By compute at this size: {along[0].lower()}{along[1:]}"


def by_size(case: Case) -> dict[str, list[Stretch]]:
    """Every trained size as text -> the best arms by stretch of its own compute."""
    params, columns = case.params, case.offered.drawn
    sizes = sorted(case.rows["n_params"].unique())
    scopes = {size: scope_of(case.rows, without_target(params, size)) for size in sizes}
    return {
        str(size): stretches(
            searched(case.boot, columns, scope=scope, level=params.level)
        )
        for size, scope in scopes.items()
    }
