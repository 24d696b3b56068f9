"""Question: which law carries these runs to larger compute, and with which uncertainty?
Input: the runs table, losses by held-out document, the arms. Output: per question the rows that were
fitted (each arm at its best regularisation), the law chosen by what it predicts above the compute it
saw, its refits over pool draws and held-out documents, the same for the runner-up, and the check.
Cost: seconds to a minute.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import Field, PositiveFloat, field_validator, model_validator

from stages import images
from stages.decision.question_laws import JUDGE, MIXTURE, law_named, tier_laws, twins
from stages.decision.record import Heldout, QuestionFit
from stages.foundation import artefacts
from stages.foundation.errors import InputError, ParamsError
from stages.foundation.files import whole_file, write_json
from stages.foundation.sealed import AGAIN, read_sealed, write_sealed
from stages.foundation.stage import Section, Stage
from stages.judges.resampled import resampled, resampled_suite
from stages.laws import LAWS, Law
from stages.laws.choosing.averaged import Prediction, mixture
from stages.laws.choosing.bootstrap import LEVEL, Bootstrap, bootstrap
from stages.laws.choosing.choose import Choice, choose_law
from stages.laws.choosing.cuts import largest_rungs
from stages.laws.choosing.eligible import eligible_laws
from stages.laws.choosing.record import fit_record, prediction_state, ranked_law
from stages.laws.fitting.onset import LEAST_RUNGS, Onset, power_law_onset
from stages.laws.fitting.variant import Variant, with_variants
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
    unused_without_searches,
)

log = logging.getLogger("assay")
AUTO = "auto"
ITEM_METRICS = ("correct_nats", "correct_bpb", "brier")  # of sweep.items


class FitParams(Section):
    seed: int = Field(1, ge=0)
    domain: str | None = Field(
        None, description="held-out domain whose loss decides; null: the first by name"
    )
    metric: Literal["loss", "error", "bpb", "correct_nats", "correct_bpb", "brier"] = (
        Field(
            "loss",
            description=(
                "what decides: the loss, of text bits a byte (bpb), of images the share"
                " that is classified wrongly (error), or of scored items, named by"
                " `domain`, correct_nats, correct_bpb or brier"
            ),
        )
    )
    judges: dict[str, PositiveFloat] = Field(
        {},
        description=(
            "several judges in place of one domain: held-out domain (or correct_bpb_ and"
            " the name of items) -> weight; their mean in bits a byte decides"
        ),
    )
    least_signal_to_noise: float = Field(
        1.0,
        ge=0,
        description=(
            "a judge whose arms differ by less than so many times the noise of one run"
            " is left out, with the reason; 0 keeps all"
        ),
    )
    laws: list[str] = Field(
        ["auto"],
        min_length=1,
        description=(
            "candidates, by name (see `assay laws`); auto: every law that the runs can"
            " tell apart"
        ),
    )
    draws: int = Field(400, ge=50, le=20_000, description="bootstrap refits")
    starts: int = Field(32, ge=8, le=10_000, description="starting points of a law")
    held_out_rungs: int = Field(
        1,
        ge=1,
        description="largest compute budgets that the check leaves out and predicts",
    )
    leave_out_early: bool = Field(
        True,
        description=(
            "of five token budgets or more, leave out those before the power law"
            " begins, with the reason"
        ),
    )

    @model_validator(mode="after")
    def _one_way(self) -> "FitParams":
        if self.judges and (self.domain is not None or self.metric != "loss"):
            raise ValueError(
                "judges take the place of domain and metric; leave those out"
            )
        return self

    @field_validator("laws")
    @classmethod
    def _known(cls, names: list[str]) -> list[str]:
        for name in names:
            if name not in LAWS and name not in (MIXTURE, AUTO):
                raise ValueError(
                    f"no law {name!r}; choose among {', '.join([AUTO, *LAWS, MIXTURE])}"
                )
        return names


def is_measured(params: dict[str, Any]) -> tuple[list[str], str] | None:
    """Where the section names what no run is judged by: the keys and the fault."""
    section: FitParams = params["fit"]
    image = params["ingest"].modality == "image"
    measured = ["loss", "error"] if image else ["loss", "bpb"]
    if params["sweep"].items is not None and not image:
        measured += ITEM_METRICS
    if section.metric not in measured:
        return ["fit", "metric"], (
            f"{section.metric} is measured of"
            f" {'images' if section.metric == 'error' else 'text'}"
            f"{', of the items of sweep.items' if section.metric in ITEM_METRICS else ''};"
            f" here there are {', '.join(measured)}"
        )
    if image and section.judges:
        return ["fit", "judges"], "are for text; name a domain for images"
    held = [name for name, pool in params["ingest"].pools.items() if pool.heldout]
    if (
        not image
        and section.metric in ("loss", "bpb")
        and section.domain not in (None, *held)
    ):
        return ["fit", "domain"], _not_held(section.domain, held)
    of_items = "correct_bpb" in measured
    for judge in section.judges:
        if judge.removeprefix("bpb_") in held or judge in held:
            continue
        if not of_items or not judge.startswith("correct_bpb_"):
            return ["fit", "judges", judge], _not_held(judge, held)
    return None


def _not_held(name: str | None, held: list[str]) -> str:
    return f"no held-out domain {name!r}; there are {', '.join(held)}"


def run(params: FitParams) -> None:
    """Choose, fit and bootstrap for every question."""
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
    runs = with_suite(every, judges).filter(metric=metric)
    if metric.startswith("error_"):
        runs = runs.with_columns(
            pl.col("value").clip(
                lower_bound=least_error(
                    pl.read_parquet(artefacts.HELD_OUT_LOSSES).filter(metric=metric)
                )
            )
        )
    best = best_regularised(runs)
    candidates = candidates_of(params.laws, law_rows(best), tiers)
    if curves:
        candidates = [*with_variants(usable_tier_laws(law_rows(best), tiers))]
    choose = partial(
        choose_law,
        candidates,
        by_arm=() if curves else None,
        n_starts=params.starts,
        seed=params.seed,
        delta=None,
    )
    choice = choose(law_rows(best))
    onset = (
        early_budgets(choice, law_rows(best), params)
        if params.leave_out_early
        else None
    )
    if onset and not onset.keep.all():
        best = best.filter(onset.keep)
        choice = choose(law_rows(best))
        choice = replace(choice, reason=f"{choice.reason}; {onset.reason}")
    rows = law_rows(best)
    log.info("fit: %s: %s", name, choice.reason)
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
    check = heldout_check(choose, rows=rows, params=params)
    write_sealed(
        artefacts.fit_refits(name),
        {role: prediction_state(boot) for role, boot in boots.items()},
    )
    with whole_file(artefacts.fitted_rows(name)) as temporary:
        best.write_parquet(temporary)
    alone = bootstrap(choice.fit, rows, **drawn)
    fitted = record(choice, alone, check=check, best=best, metric=metric, judges=judges)
    write_sealed(artefacts.fit_record(name), fitted.model_dump())
    return {
        "law": choice.fit.law.name,
        "heldout_mape": round(check.mape, 5),
        "heldout_coverage": round(check.coverage, 3),
        "rms_log": round(choice.fit.rms_log, 5),
    }


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


def candidates_of(
    names: list[str], rows: dict[str, np.ndarray], tiers: list[str]
) -> list[Law | Variant]:
    """The laws named, `auto` being all that such runs can tell apart, with their variants."""
    found: list[Law | Variant] = []
    for name in names:
        laws = eligible_laws(rows) if name == AUTO else [law_named(name, tiers)]
        found += with_variants(laws)
    return found


def usable_tier_laws(rows: dict[str, np.ndarray], tiers: list[str]) -> list[Law]:
    """The laws over tiers; those with model size only where there are several sizes."""
    several = np.unique(rows["n_params"]).size > 1
    return [
        law for law in tier_laws(tiers) if ("n_params" in law.variable_names) == several
    ]


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


def heldout_check(
    choose: Callable[[dict[str, np.ndarray]], Choice],
    rows: dict[str, np.ndarray],
    params: FitParams,
) -> Heldout:
    """The laws weighed below the largest compute, against what was measured there; means over draws by cell."""
    held = largest_rungs(rows["flops"], params.held_out_rungs)
    below, above = (
        {key: column[mask] for key, column in rows.items()} for mask in (~held, held)
    )
    boot = mixture(
        choose(below),
        below,
        clusters="pool_draw",
        n_draws=params.draws,
        seed=params.seed,
    )
    low, high = boot.interval(above, level=LEVEL, new_run=True)
    table = pl.DataFrame(
        {
            **{
                key: above[key] for key in ("arm", "n_params", "n_tokens_seen", "flops")
            },
            "measured": above["value"],
            "predicted": boot.central(above),
            "low": low,
            "high": high,
        }
    )
    cells = table.group_by(
        "arm", "n_params", "n_tokens_seen", "flops", maintain_order=True
    ).agg(pl.all().mean())
    error = table["predicted"] - table["measured"]
    inside = (table["low"] <= table["measured"]) & (table["measured"] <= table["high"])
    return Heldout(
        n=len(table),
        from_flops=float(above["flops"].min()),
        mape=float((error / table["measured"]).abs().mean()),
        rmse=float((error**2).mean() ** 0.5),
        bias=float(error.mean()),
        coverage=float(inside.mean()),
        rows=cells.to_dicts(),
    )


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


stage = Stage(
    run=run,
    params=FitParams,
    agrees=is_measured,
    unused=unused_without_searches,
    question=(
        "Which law carries these runs to larger compute, and with which uncertainty?"
    ),
    deps=(
        artefacts.MANIFEST,
        artefacts.RUNS,
        artefacts.HELD_OUT_LOSSES,
        artefacts.ARMS,
        artefacts.PACKED_HELD_OUT,
    ),
    outs=(artefacts.FITS,),
    metrics=(artefacts.FIT_METRICS,),
)
