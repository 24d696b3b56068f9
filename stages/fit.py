"""Question: which law carries these runs to larger compute, and with which uncertainty?
Input: the runs table, losses by held-out document, the arms. Output: per question the rows that were
fitted (each arm at its best regularisation), the law chosen by what it predicts above the compute it
saw, its refits over pool draws and held-out documents, the same for the runner-up, and the check.
Cost: seconds to a minute.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from stages import images
from stages.decision.question_laws import JUDGE, twins
from stages.decision.record import Heldout, QuestionFit
from stages.fits.choosing import Choosing
from stages.fits.heldout import heldout_check
from stages.fits.section import FitParams
from stages.foundation import artefacts
from stages.foundation.errors import InputError, ParamsError
from stages.foundation.files import whole_file, write_json
from stages.foundation.processes.pool import second_process
from stages.foundation.sealed import AGAIN, read_sealed, write_sealed
from stages.judges.resampled import resampled, resampled_suite
from stages.laws.choosing.averaged import Prediction, mixture
from stages.laws.choosing.bootstrap import LEVEL, Bootstrap, bootstrap
from stages.laws.choosing.choose import Choice
from stages.laws.choosing.record import fit_record, prediction_state, ranked_law
from stages.laws.fitting.onset import LEAST_RUNGS, Onset, power_law_onset
from stages.presentation.metric_words import SUITE
from stages.proxy.tokens.packed import Packed
from stages.runs.judge_record import Judge
from stages.runs.study import (
    best_regularised,
    heldout_resamples,
    law_rows,
    regularisation_shares,
)
from stages.runs.suite import judged_rows, judges_of, with_suite
from stages.searched.kinds import (
    CURVES_KIND,
    MIXTURE_KIND,
)

log = logging.getLogger("assay")
PROCESS_FROM_RUNS = 100  # assumed: fewer are fitted before a process has started


@threadpool_limits.wrap(limits=1)
def run(params: FitParams) -> None:
    """Choose, fit and bootstrap for every question, by one thread a process: the matrices are small."""
    runs = pl.read_parquet(artefacts.RUNS)
    arms = read_sealed(artefacts.ARMS, AGAIN)
    metric = SUITE if params.judges else metric_of(params.domain, runs, params.metric)
    summary: dict[str, dict[str, Any]] = {}
    for name, question in arms["questions"].items():
        kind = question.get("kind")
        if kind == MIXTURE_KIND:
            from stages.searched.swarm import fit_swarm

            summary[name] = fit_swarm(
                name,
                question,
                runs,
                judges=params.judges,
                least_ratio=params.least_signal_to_noise,
            )
            continue
        wanted = [*question["arms"], *twins(arms, question["arms"])]
        judges = judges_of(
            params.judges,
            runs.filter(pl.col("arm").is_in(question["arms"])),
            params.least_signal_to_noise,
        )
        summary[name] = fit_question(
            name,
            runs.filter(pl.col("arm").is_in(wanted)),
            tiers=arms["tiers"],
            metric=metric,
            judges=judges,
            params=params,
            curves=kind == CURVES_KIND,
        )
    write_json(artefacts.FIT_METRICS, summary)


def metric_of(domain: str | None, runs: pl.DataFrame, kind: str = "loss") -> str:
    """`loss_<domain>` or `error_<domain>` of the runs table."""
    metrics = sorted(
        metric for metric in runs["metric"].unique() if metric.startswith(f"{kind}_")
    )
    if not metrics:
        raise ParamsError(
            f"fit.metric: the runs have no {kind}; text has loss and bpb, images"
            " have loss and error, items correct_nats, correct_bpb and brier"
        )
    if domain is None:
        return metrics[0]
    if f"{kind}_{domain}" not in metrics:
        raise ParamsError(
            f"fit.domain: no held-out domain {domain!r}; there are"
            f" {', '.join(m.removeprefix(f'{kind}_') for m in metrics)}"
        )
    return f"{kind}_{domain}"


def fit_question(
    name: str,
    every: pl.DataFrame,
    *,
    tiers: list[str],
    metric: str,
    params: FitParams,
    judges: Sequence[Judge] = (),
    curves: bool = False,
) -> dict[str, Any]:
    """Everything about one question, written to data/fit; the metrics to track.

    every: the runs table of its arms and their twins, all metrics; curves: by laws over tiers alone, whose parameters
    all arms share, so that curves are asked that nobody trained.
    """
    best = best_regularised(decided_by(metric, every, judges))
    choose = Choosing(law_rows(best), tiers, params, curves)
    with second_process(len(best) >= PROCESS_FROM_RUNS) as start:
        checked = start(heldout_check, choose, law_rows(best), params)
        choice = choose(law_rows(best))
        onset = None
        if params.leave_out_early:
            onset = early_budgets(choice, law_rows(best), params)
        if onset and not onset.keep.all():
            best = best.filter(onset.keep)
            checked = start(heldout_check, choose, law_rows(best), params)
            choice = choose(law_rows(best))
            choice = replace(choice, reason=f"{choice.reason}; {onset.reason}")
        log.info("fit: %s: %s", name, choice.reason)
        rows = law_rows(best)
        values = (
            resampled_suite(judges, best, every, draws=params.draws, seed=params.seed)
            if judges
            else resampled_values(best, metric, params)
        )
        drawn: dict[str, Any] = {
            "clusters": "pool_draw",
            "n_draws": params.draws,
            "values": values,
            "seed": params.seed,
        }
        boots: dict[str, Prediction] = {"law": mixture(choice, rows, **drawn)}
        if choice.runner_up:
            boots["runner_up"] = bootstrap(choice.runner_up, rows, **drawn)
        for judge in judges:
            log.info("fit: %s: judge %s: %s", name, judge.name, judge.reason)
            boots[f"{JUDGE}{judge.name}"] = judged_alone(
                judge, best, every, choose=choose, drawn=drawn
            )
        alone = bootstrap(choice.fit, rows, **drawn)
        check = checked()
    write_sealed(
        artefacts.fit_refits(name),
        {role: prediction_state(boot) for role, boot in boots.items()},
    )
    with whole_file(artefacts.fitted_rows(name)) as temporary:
        best.write_parquet(temporary)
    fitted = record(choice, alone, check=check, best=best, metric=metric, judges=judges)
    write_sealed(artefacts.fit_record(name), fitted.model_dump())
    return {
        "law": choice.fit.law.name,
        "heldout_mape": round(check.mape, 5),
        "heldout_coverage": round(check.coverage, 3),
        "rms_log": round(choice.fit.rms_log, 5),
    }


def decided_by(
    metric: str, every: pl.DataFrame, judges: Sequence[Judge]
) -> pl.DataFrame:
    """The runs with the metric that decides, all of whose values have a logarithm."""
    runs = with_suite(every, judges).filter(metric=metric)
    if not metric.startswith("error_"):
        return runs
    losses = pl.read_parquet(artefacts.HELD_OUT_LOSSES).filter(metric=metric)
    least = least_error(losses)
    return runs.with_columns(pl.col("value").clip(lower_bound=least))


def judged_alone(
    judge: Judge,
    best: pl.DataFrame,
    runs: pl.DataFrame,
    *,
    choose: Callable[[dict[str, np.ndarray]], Choice],
    drawn: dict[str, Any],
) -> Prediction:
    """What one judge says of the runs that decided, `best`, by laws of its own with the same draws."""
    own = judged_rows(best, runs, judge)
    values = resampled(judge.metric, own, draws=drawn["n_draws"], seed=drawn["seed"])
    rows = law_rows(own)
    return mixture(choose(rows), rows, **drawn | {"values": values})


def early_budgets(
    choice: Choice, rows: dict[str, np.ndarray], params: FitParams
) -> Onset | None:
    """The token budgets before the law chosen holds; None where there are no more than are always kept."""
    if len(np.unique(rows["n_tokens_seen"])) <= LEAST_RUNGS:
        return None
    try:
        return power_law_onset(
            choice.fit.law,
            rows,
            by_arm=choice.fit.by_arm,
            n_starts=params.starts,
            seed=params.seed,
        )
    except InputError as few:
        log.info("fit: no search for budgets before the law: %s", few)
        return None


def resampled_values(best: pl.DataFrame, metric: str, params: FitParams) -> np.ndarray:
    """Values under re-weighted held-out documents or items, (draws, runs)."""
    if not metric.startswith(("loss_", "error_")):
        return resampled(metric, best, draws=params.draws, seed=params.seed)
    losses = pl.read_parquet(artefacts.HELD_OUT_LOSSES).filter(metric=metric)
    weights = (
        np.ones(n_scored(losses))
        if images.are_pooled()
        else Packed.open(
            f"{artefacts.PACKED_HELD_OUT}/{metric.partition('_')[2]}"
        ).n_scored_each
    )
    values = heldout_resamples(
        losses, weights, best["run_id"].to_list(), draws=params.draws, seed=params.seed
    )
    return (
        np.maximum(values, least_error(losses))
        if metric.startswith("error_")
        else values
    )


def n_scored(losses: pl.DataFrame) -> int:
    """Held-out documents (or images) behind each value."""
    return int(losses["loss_nats"].list.len()[0])


def least_error(losses: pl.DataFrame) -> float:
    """Half a wrong image: what an error of none counts as, since laws are fitted to logarithms."""
    return 0.5 / n_scored(losses)


def record(
    choice: Choice,
    boot: Bootstrap,
    check: Heldout,
    best: pl.DataFrame,
    metric: str,
    judges: Sequence[Judge] = (),
) -> QuestionFit:
    """The fit file of the chosen law, the ranking behind the choice, and the check."""
    return QuestionFit(
        metric=metric,
        reason=choice.reason,
        ranking=[ranked_law(score) for score in choice.ranking],
        refused=choice.refused,
        law=fit_record(boot.fit, boot, LEVEL),
        runner_up=choice.runner_up.law.name if choice.runner_up else None,
        holdout=check,
        warnings=choice.warnings,
        regularisation=regularisation_shares(best),
        judges=list(judges),
    )
