"""Question: which mixture of pools is best, how sure is that, and what would it measure?
Input: the swarm of the question, its arms, the settings of decide. Output: the record. The laws and the search are
those of `assay mix` (stages/mixtures/proposal.py). Cost: 2 to 10 s, and 1 to 5 s for each further size and budget.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from stages.decision.at_target import count_text
from stages.decision.provenance import provenance
from stages.decision.record import Question, SpokenSize
from stages.foundation import artefacts
from stages.laws.interface.fitted import Note
from stages.mixtures.mix_curves import mix_curves
from stages.mixtures.proposal import (
    ENDS,
    LEVEL,
    Proposal,
    broken_vetoes,
    propose,
    record,
)
from stages.mixtures.wishes import Wishes
from stages.searched.record import (
    VERSION,
    Aimed,
    Band,
    BestRun,
    Objective,
    Rung,
    SearchedRecord,
    SearchedTables,
    Veto,
    WeightedMetric,
)
from stages.searched.repeats import fitted_repeats, repeats_of
from stages.searched.swarm import (
    LOSS,
    metric_weights,
    passes_of,
    rungs,
    swarm_of,
)
from stages.searched.verdict import Evidence, verdict
from stages.searched.words import sentence, tables
from stages.settings.decide import DecideParams
from stages.target.target import Target

FEW_DRAWS = 60  # ours: of a size or budget that is there for comparison
SEED = 1
Rung_ = tuple[int, int]


@dataclass(frozen=True)
class Searched:
    """One question with what was found at one size and budget."""

    question: Mapping[str, Any]
    rows: pl.DataFrame
    rung: Rung_
    found: Proposal
    said: dict[str, Any]


def read_by(name: str) -> list[str]:
    """The files that the record of one question is made of."""
    return [artefacts.fitted_rows(name), artefacts.ARMS]


def decide_mixture(
    name: str, arms: Mapping[str, Any], params: DecideParams
) -> tuple[SearchedRecord, pl.DataFrame]:
    """The record of one question of kind mixture, and what its figures draw. arms: data/arms/arms.json."""
    question = arms["questions"][name]
    rows = pl.read_parquet(artefacts.fitted_rows(name))
    every = rungs(rows)
    at = answered(every, params)
    aimed = aim(params.target, question, arms, rows=rows, rung=at)
    proxy_passes = passes_of(rows, question, at)
    law = fitted_repeats(rows, question) if aimed else None
    wishes = wishes_of(question, rows)
    repeated = costly(wishes, aimed, proxy_passes)
    found = propose(
        swarm_of(rows, question, at), repeated, law=law, seed=SEED, keep_vetoes=False
    )
    searched = Searched(question, rows, at, found, record(found))
    others = [rung for rung in every if comparable(rung, at)]
    by_rung = [at_rung(rung, searched, wishes) for rung in others]
    said = searched.said
    tolerance = params.tie_fraction * float(found.goal.values(found.share[None])[0])
    best = best_run(searched, tolerance)
    repetition = repeats_of(said["proposal"], proxy_passes, aimed)
    evidence = Evidence(
        said=said,
        best=best,
        repetition=repetition,
        by_rung=by_rung,
        broken=broken_vetoes(found),
        aimed=aimed,
        tolerance=tolerance,
        params=params,
    )
    status, reason = verdict(evidence)
    answer = SearchedRecord(
        version=VERSION,
        kind="mixture",
        question=Question(name=name, title=question["title"]),
        sentence="",
        status=status,
        reason=reason,
        target=aimed,
        metrics=[
            WeightedMetric(
                name=metric,
                domain=metric.removeprefix(LOSS),
                unit="nats/token",
                weight=weight,
            )
            for metric, weight in said["objective"]["weights"].items()
        ],
        level=LEVEL,
        n_params=spoken_size(rows, at, params),
        n_tokens=at[1],
        n_runs=said["n_runs"],
        n_draws=rows["pool_draw"].n_unique(),
        proposal=said["proposal"],
        interval=said["interval"],
        reference=said["reference"]["mixture"],
        predicted=said["predicted"],
        trade_off=trade_off(found),
        objective=objective_of(said["objective"]),
        tolerance=tolerance,
        best_run=best,
        vetoes={metric: Veto(**veto) for metric, veto in said["vetoes"].items()},
        repetition=repetition,
        repetition_law=said["repetition"]["law"] if said["repetition"] else None,
        by_rung=by_rung,
        laws=said["laws"],
        check=said["check"],
        reach=said["trust"]["reach"],
        beyond=said["trust"]["beyond"],
        warnings=[Note(**each) for each in said["warnings"]],
        provenance=provenance(
            rows,
            made_from=[artefacts.RUNS],
            read=read_by(name),
            params={"decide": params.model_dump()},
        ),
        tables=SearchedTables(proposal=[], predicted=[], rungs=[]),
    )
    words = {"sentence": sentence(answer), "tables": tables(answer)}
    return answer.model_copy(update=words), mix_curves(found)


def answered(every: list[Rung_], params: DecideParams) -> Rung_:
    """The size and budget that the answer rests on: the size asked for where it was trained, else the largest."""
    sizes = {n_params for n_params, _ in every}
    size = params.n_params if params.n_params in sizes else max(sizes)
    return max(rung for rung in every if rung[0] == size)


def comparable(rung: Rung_, at: Rung_) -> bool:
    """Whether a size or budget differs from that of the answer in one of the two."""
    return rung != at and (rung[0] == at[0] or rung[1] == at[1])


def spoken_size(rows: pl.DataFrame, at: Rung_, params: DecideParams) -> SpokenSize:
    """The size of the proxies behind the answer."""
    asked_for = params.n_params == at[0]
    return SpokenSize(
        value=at[0],
        why="set by decide.n_params" if asked_for else "the largest size trained",
        trained=sorted(rows["n_params"].unique()),
    )


def wishes_of(question: Mapping[str, Any], rows: pl.DataFrame) -> Wishes:
    """What the question asks of a mixture, by metric and pool."""
    names = [name for name in rows.columns if name.startswith(LOSS)]
    return Wishes(
        weights=metric_weights(dict(question), names),
        prior=question["prior"],
        floors=question["floors"],
        caps=question["caps"],
        vetoes={LOSS + domain: most for domain, most in question["veto"].items()},
    )


def costly(
    wishes: Wishes, aimed: Aimed | None, proxy_passes: Mapping[str, float]
) -> Wishes:
    """The wishes with a cost of repeats where the target repeats a pool more than its proxies did."""
    if aimed is None:
        return wishes
    there = {pool: aimed.n_tokens / u for pool, u in aimed.pool_tokens.items()}
    if all(there[pool] <= max(1.0, proxy_passes[pool]) for pool in there):
        return wishes
    return Wishes(
        **{
            **vars(wishes),
            "unique_tokens": aimed.pool_tokens,
            "tokens": aimed.n_tokens,
        }
    )


def aim(
    target: Target | None,
    question: Mapping[str, Any],
    arms: Mapping[str, Any],
    *,
    rows: pl.DataFrame,
    rung: Rung_,
) -> Aimed | None:
    """The target with the pools that are mixed, and how far it lies beyond the proxies of the answer."""
    if target is None:
        return None
    own = rows.filter(n_params=rung[0], n_tokens_seen=rung[1])
    pools = target.pools(arms["pool_tokens"])
    mixed = {pool: pools[pool] for pool in question["over"]}
    return Aimed(
        n_params=target.params,
        n_tokens=target.n_tokens,
        flops=target.n_flops,
        pool_tokens=mixed,
        decades=float(np.log10(target.n_flops / float(own["flops"].max()))),
        text=(
            f"{count_text(target.params)} parameters and"
            f" {count_text(target.n_tokens)} tokens from pools of"
            f" {count_text(sum(mixed.values()))}"
        ),
    )


def at_rung(rung: Rung_, searched: Searched, wishes: Wishes) -> Rung:
    """The answer of the runs of another size or budget alone."""
    rows, question = searched.rows, dict(searched.question)
    found = propose(
        swarm_of(rows, question, rung),
        wishes,
        n_draws=FEW_DRAWS,
        seed=SEED,
        keep_vetoes=False,
    )
    said = record(found)
    own = rows.filter(n_params=rung[0], n_tokens_seen=rung[1])
    return Rung(
        n_params=rung[0],
        n_tokens=rung[1],
        flops=float(own["flops"].max()),
        proposal=said["proposal"],
        interval=said["interval"],
        moved=float(0.5 * np.abs(found.share - searched.found.share).sum()),
    )


def best_run(searched: Searched, tolerance: float) -> BestRun:
    """The run of least weighted loss, and how the proposal compares with its mixture."""
    found = searched.found
    swarm, goal = found.swarm, found.goal
    measured = swarm.values @ goal.weights
    at = int(measured.argmin())
    gain = _gain(found, swarm.shares[at])
    shares = zip(swarm.domains, swarm.shares[at].tolist(), strict=True)
    return BestRun(
        run_id=swarm.runs[at],
        shares=dict(shares),
        measured=float(measured[at]),
        gain=gain[0],
        p_not_worse=float(np.mean(gain[1] > -tolerance)),
    )


def _gain(found: Proposal, other: np.ndarray) -> tuple[Band, np.ndarray]:
    """Predicted loss of another mixture less that of the proposal: (value, low, high), and in each draw (draws,)."""
    both = np.stack([found.share, other])
    value = found.goal.values(both)
    drawn = found.goal.drawn(both)
    gains = drawn[:, 1] - drawn[:, 0]
    low, high = np.quantile(gains, ENDS)
    return (float(value[1] - value[0]), float(low), float(high)), gains


def trade_off(found: Proposal) -> dict[str, Band]:
    """What each metric gains or loses from the reference to the proposal."""
    both = np.stack([found.share, found.reference])
    changes = {}
    for metric in found.metrics:
        value, drawn = metric.value(both), metric.drawn(both)
        low, high = np.quantile(drawn[:, 0] - drawn[:, 1], ENDS)
        changes[metric.name] = (float(value[0] - value[1]), float(low), float(high))
    return changes


def objective_of(said: Mapping[str, Any]) -> Objective:
    """The weighted loss as the record has it."""
    return Objective(
        value=(said["value"], said["low"], said["high"]),
        reference=said["reference"],
        gain=tuple(said["gain"]),
        p_better=said["p_better"],
    )
