"""From the runs table to the swarm of a mixture question: how each run was mixed, what it reached, and what decides."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import polars as pl
from pydantic import Field

from stages.foundation import artefacts
from stages.foundation.errors import ParamsError
from stages.foundation.files import whole_file
from stages.foundation.record_files import FileRecord
from stages.foundation.sealed import AGAIN
from stages.laws.mixing.blocks import block_effects
from stages.mixtures.phases import (
    PART,
    decay_part,
    domains_of,
    groups_of,
    has_phases,
)
from stages.mixtures.swarm_tables import Swarm, refuse_thin
from stages.presentation.phase_names import PHASES, in_phase
from stages.runs.judge_record import Judge
from stages.runs.study import best_regularised
from stages.runs.suite import judges_of

LOSS, BITS = "loss_", "bpb_"
CELL = ("n_params", "n_tokens_seen")
Weights = dict[str, float]


class SwarmFit(FileRecord):
    """What a swarm is searched for: data/fit/NAME.json of a mixture question."""

    remedy: ClassVar[str] = AGAIN

    weights: Weights = Field(
        description="metric of the runs table -> weight in the sum that is minimised, sum 1; 0: judged, not minimised"
    )
    judges: list[Judge] = Field(
        description="whose mean is minimised, with what each tells; empty where the question weighs losses itself"
    )
    judged_by: dict[str, str] = Field(description="judge of fit.judges -> its metric")
    per_nat: float = Field(
        description="of the sum, for a nat a token of the held-out losses; 1 where it is one of losses"
    )


def fit_swarm(
    name: str,
    question: Mapping[str, Any],
    runs: pl.DataFrame,
    *,
    judges: Mapping[str, float],
    least_ratio: float = 0.0,
) -> dict[str, Any]:
    """Write the rows and what they are searched for; the metrics to track. runs: the runs table; judges: fit.judges."""
    own = with_domains(question, runs.filter(pl.col("arm").is_in(question["arms"])))
    every = judges_of(judges, as_mixtures(question, own), least_ratio)
    weights = weights_of(question, own["metric"].unique().to_list(), every)
    rows = swarm_rows(question, own, weights)
    fit = SwarmFit(
        weights=weights,
        judges=[] if question["weights"] else every,
        judged_by={judge.name: judge.metric for judge in every},
        per_nat=per_nat(rows, own, weights),
    )
    fit.write(artefacts.fit_record(name))
    with whole_file(artefacts.fitted_rows(name)) as temporary:
        rows.write_parquet(temporary)
    return {"runs": len(rows)}


def with_domains(question: Mapping[str, Any], runs: pl.DataFrame) -> pl.DataFrame:
    """The runs with share_<domain> as the search has it, where each phase has a mixture; else as they are."""
    if not has_phases(question):
        return runs
    shares = pl.DataFrame(
        {"arm": arm} | {share_of(name): each * PART for name, each in mixture.items()}
        for arm, mixture in question["mixtures"].items()
    )
    return runs.join(shares, on="arm", how="left", maintain_order="left")


def share_of(name: str) -> str:
    """The column of a pool, cluster or domain."""
    return f"share_{name}"


def as_mixtures(question: Mapping[str, Any], runs: pl.DataFrame) -> pl.DataFrame:
    """The runs with one arm for each mixture: runs that repeat one tell the noise of a judge."""
    names = [share_of(name) for name in domains_of(question)]
    first = runs.unique("arm", keep="first", maintain_order=True).select(
        "arm", pl.col(names).fill_null(0.0).round(6)
    )
    same = first.with_columns(_same=pl.col("arm").first().over(names))
    return (
        runs.join(
            same.select("arm", "_same"), on="arm", how="left", maintain_order="left"
        )
        .with_columns(arm=pl.col("_same"))
        .drop("_same")
    )


def weights_of(
    question: Mapping[str, Any], metrics: Sequence[str], judges: Sequence[Judge] = ()
) -> Weights:
    """Metric -> weight, sum 1; of metrics that are vetoed alone 0. metrics: of the runs table.

    The question's own weights, of losses, come before the judges, and without both all held-out domains count alike.

    >>> question = {"weights": {"news": 3, "wiki": 1}, "veto": {"code": 0.1}}
    >>> weights_of(question, ["loss_news", "loss_wiki", "loss_code"])
    {'loss_news': 0.75, 'loss_wiki': 0.25, 'loss_code': 0.0}
    """
    there = [name for name in sorted(metrics) if name.startswith(LOSS)]
    vetoed = dict.fromkeys((LOSS + domain for domain in question["veto"]), 0.0)
    if judges and not question["weights"]:
        wanted = vetoed | {judge.metric: judge.weight for judge in judges}
    else:
        given = question["weights"] or {name.removeprefix(LOSS): 1.0 for name in there}
        total = sum(given.values())
        asked = {LOSS + domain: weight / total for domain, weight in given.items()}
        wanted = asked | {
            name: 0.0
            for name in [*vetoed, *(judge.metric for judge in judges)]
            if name not in asked
        }
    if unknown := [name for name in wanted if name not in metrics]:
        raise ParamsError(
            f"arms.questions: no held-out domain {unknown[0].removeprefix(LOSS)!r}; there"
            f" are {', '.join(name.removeprefix(LOSS) for name in there)}"
        )
    return wanted


def swarm_rows(
    question: Mapping[str, Any], runs: pl.DataFrame, weights: Weights | None = None
) -> pl.DataFrame:
    """One row a run of the question's arms, at the setting of least weighted sum; its metrics as columns.

    runs: the runs table; weights: None for those of the question. Columns are those of the runs table, `value` the
    weighted sum, and the metrics.
    """
    weights = weights or weights_of(question, runs["metric"].unique().to_list())
    own = runs.filter(
        pl.col("arm").is_in(question["arms"]) & pl.col("metric").is_in(list(weights))
    )
    each = own.pivot("metric", index="run_id", values="value")
    total = pl.sum_horizontal(pl.col(name) * w for name, w in weights.items())
    first = own.unique("run_id", keep="first", maintain_order=True)
    rows = first.drop("value").join(
        each.with_columns(value=total), on="run_id", how="left"
    )
    names = [
        share_of(name)
        for name in dict.fromkeys([*question["over"], *domains_of(question)])
    ]
    return best_regularised(rows.with_columns(pl.col(names).fill_null(0.0)))


def per_nat(rows: pl.DataFrame, runs: pl.DataFrame, weights: Weights) -> float:
    """The weighted sum over the mean held-out loss of the same runs: what a nat a token is in its unit."""
    if all(name.startswith(LOSS) for name, weight in weights.items() if weight > 0):
        return 1.0
    losses = runs.filter(
        pl.col("metric").str.starts_with(LOSS)
        & pl.col("run_id").is_in(rows["run_id"].implode())
    )
    return float(rows["value"].mean() / losses["value"].mean())


def rungs(rows: pl.DataFrame) -> list[tuple[int, int]]:
    """(n_params, n_tokens_seen) of the sizes and budgets that were trained, the smallest first."""
    return sorted(rows.select(CELL).unique().iter_rows())


def swarm_of(
    rows: pl.DataFrame,
    question: Mapping[str, Any],
    rung: tuple[int, int],
    metrics: Sequence[str],
) -> Swarm:
    """The swarm at one size and budget; what all runs of a resample share is taken off their metrics.

    Raises RefusedError where the runs cannot tell the pools apart.
    """
    n_params, n_tokens = rung
    own = rows.filter(n_params=n_params, n_tokens_seen=n_tokens)
    shares = shares_of(own, question)
    values = own.select(metrics).to_numpy()
    draws = own["pool_draw"].to_numpy()
    effects = [block_effects(shares, column, draws) for column in values.T]
    swarm = Swarm(
        tuple(own["run_id"]),
        domains=tuple(domains_of(question)),
        metrics=tuple(metrics),
        shares=shares,
        values=values - np.stack(effects, axis=1),
        notes=[],
        groups=groups_of(question),
    )
    refuse_thin(swarm)
    return swarm


def shares_of(rows: pl.DataFrame, question: Mapping[str, Any]) -> np.ndarray:
    """How the tokens of each run were mixed, (runs, domains), sum 1."""
    shares = rows.select(share_of(name) for name in domains_of(question)).to_numpy()
    return shares / shares.sum(axis=1, keepdims=True)


def passes_of(
    rows: pl.DataFrame, question: Mapping[str, Any], rung: tuple[int, int]
) -> dict[str, float]:
    """Pool -> passes of a proxy that would read it alone: tokens of the run over different tokens of its resample.

    A run that has not passed a pool once has not seen all of it: of several the most that one saw counts.
    """
    n_params, n_tokens = rung
    own = rows.filter(n_params=n_params, n_tokens_seen=n_tokens)
    return {
        pool: n_tokens / max(float(own[f"unique_{pool}"].max() or 1.0), 1.0)
        for pool in question["over"]
    }


def decay_of(rows: pl.DataFrame, question: Mapping[str, Any]) -> float:
    """Part of the tokens that decays read, as the shares of the runs show it; 0 where all is one phase."""
    if not has_phases(question):
        return 0.0
    measured = rows.select(share_of(pool) for pool in question["over"]).to_numpy()
    stable, last = (
        rows.select(share_of(in_phase(phase, pool)) for pool in question["over"])
        for phase in PHASES
    )
    return decay_part(measured, stable.to_numpy() / PART, last.to_numpy() / PART)
