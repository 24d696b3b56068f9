"""Question: which mixture of pools is best, how sure is that, and what would it measure?
Input: the swarm of the question, its arms, the settings of decide. Output: the record. The laws and the search are
those of `assay mix` (stages/mixtures/proposal.py). Cost: 2 to 10 s, and 1 to 5 s for each further size and budget.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from stages.decision.record import SpokenSize
from stages.foundation import artefacts
from stages.laws.interface.fitted import Note
from stages.laws.mixing.repeats import PUBLISHED
from stages.mixtures.mix_curves import mix_curves
from stages.mixtures.phases import (
    has_phases,
    overall,
    part_of,
    spoken,
    to_search,
)
from stages.mixtures.proposal import (
    ENDS,
    LEVEL,
    Proposal,
    broken_vetoes,
    propose,
    record,
)
from stages.mixtures.wishes import Wishes
from stages.presentation.phase_names import PHASES
from stages.searched.compared import Pair, aimed, draft, weighted
from stages.searched.record import (
    Aimed,
    Band,
    BestRun,
    Rung,
    SearchedRecord,
    Veto,
)
from stages.searched.repeats import fitted_repeats, repeats_of
from stages.searched.swarm import (
    LOSS,
    SwarmFit,
    decay_of,
    passes_of,
    rungs,
    swarm_of,
)
from stages.searched.verdict import finished
from stages.settings.decide import DecideParams

FEW_DRAWS = 60  # ours: of a size or budget that is there for comparison
SEED = 1
Rung_ = tuple[int, int]


@dataclass(frozen=True)
class Searched:
    """One question with its runs, what they are searched for, and what was found at one size and budget."""

    question: Mapping[str, Any]
    rows: pl.DataFrame
    fit: SwarmFit
    rung: Rung_
    found: Proposal

    def pair(self, other: np.ndarray) -> Pair:
        """The weighted sum of the proposal beside that of another mixture (domains,)."""
        both = np.stack([self.found.share, other])
        goal = self.found.goal
        return Pair(goal.values(both), goal.drawn(both), ENDS)


def read_by(name: str) -> list[str]:
    """The files that the record of one question is made of."""
    return [artefacts.fit_record(name), artefacts.fitted_rows(name), artefacts.ARMS]


def decide_mixture(
    name: str, arms: Mapping[str, Any], params: DecideParams
) -> tuple[SearchedRecord, pl.DataFrame]:
    """The record of one question of kind mixture, and what its figures draw. arms: data/arms/arms.json."""
    question = arms["questions"][name]
    rows = pl.read_parquet(artefacts.fitted_rows(name))
    fit = SwarmFit.read(artefacts.fit_record(name))
    every = rungs(rows)
    at = answered(every, params)
    own = rows.filter(n_params=at[0], n_tokens_seen=at[1])
    target = aimed(
        params.target,
        arms["pool_tokens"],
        float(own["flops"].max()),
        question=question,
    )
    proxy_passes = passes_of(rows, question, at)
    wishes = wishes_of(question, fit, params)
    two = has_phases(question)
    decay = decay_of(own, question)
    found = propose(
        swarm_of(rows, question, at, list(fit.weights)),
        wishes if two else costly(wishes, target, proxy_passes),
        law=costs_of(rows, question, fit) if target else None,
        seed=SEED,
        keep_vetoes=False,
    )
    searched = Searched(question, rows, fit, rung=at, found=found)
    said = record(found)
    proposal = spoken(question, said["proposal"])
    tolerance = params.tie_fraction * float(found.goal.values(found.share[None])[0])
    answer = draft(
        name,
        question,
        rows=rows,
        params=params,
        read=read_by(name),
        kind="mixture",
        target=target,
        metrics=[weighted(metric, weight) for metric, weight in fit.weights.items()],
        judges=fit.judges,
        level=LEVEL,
        n_params=spoken_size(rows, at, params),
        n_tokens=at[1],
        n_runs=said["n_runs"],
        phases={phase: part_of(phase, decay) for phase in PHASES} if two else None,
        proposal=proposal,
        interval=spoken(question, said["interval"]),
        reference=spoken(question, said["reference"]["mixture"]),
        predicted=said["predicted"],
        trade_off=trade_off(found),
        objective=searched.pair(found.reference).objective(),
        tolerance=tolerance,
        best_run=best_run(searched, tolerance),
        vetoes={metric: Veto(**veto) for metric, veto in said["vetoes"].items()},
        repetition=repeats_of(overall(question, proposal, decay), proxy_passes, target),
        repetition_law=said["repetition"]["law"] if said["repetition"] else None,
        by_rung=[
            at_rung(rung, searched, wishes) for rung in every if comparable(rung, at)
        ],
        laws=said["laws"],
        check=said["check"],
        reach=said["trust"]["reach"],
        beyond=said["trust"]["beyond"],
        warnings=[Note(**each) for each in said["warnings"]],
    )
    return finished(answer, params, broken_vetoes(found)), mix_curves(found)


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


def wishes_of(
    question: Mapping[str, Any], fit: SwarmFit, params: DecideParams
) -> Wishes:
    """What the question asks of a mixture, by metric and pool; vetoes are the question's own and those of judges."""
    own = {LOSS + domain: most for domain, most in question["veto"].items()}
    of_judges = {fit.judged_by[judge]: most for judge, most in params.veto.items()}
    return Wishes(
        weights=fit.weights,
        prior=to_search(question, question["prior"]),
        floors=to_search(question, question["floors"]),
        caps=to_search(question, question["caps"]),
        vetoes=own | of_judges,
    )


def costly(
    wishes: Wishes, target: Aimed | None, proxy_passes: Mapping[str, float]
) -> Wishes:
    """The wishes with a cost of repeats where the target repeats a pool more than its proxies did."""
    if target is None:
        return wishes
    there = {pool: target.n_tokens / u for pool, u in target.pool_tokens.items()}
    if all(there[pool] <= max(1.0, proxy_passes[pool]) for pool in there):
        return wishes
    return replace(wishes, unique_tokens=target.pool_tokens, tokens=target.n_tokens)


def costs_of(
    rows: pl.DataFrame, question: Mapping[str, Any], fit: SwarmFit
) -> dict[str, float] | None:
    """R_D_star, B and beta of repeats in the unit of the sum, fitted or published; None: published, in nats."""
    if (law := fitted_repeats(rows, question)) is not None:
        return law
    return None if fit.per_nat == 1 else PUBLISHED | {"B": PUBLISHED["B"] * fit.per_nat}


def at_rung(rung: Rung_, searched: Searched, wishes: Wishes) -> Rung:
    """The answer of the runs of another size or budget alone."""
    rows, question = searched.rows, searched.question
    found = propose(
        swarm_of(rows, question, rung, list(searched.fit.weights)),
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
        proposal=spoken(question, said["proposal"]),
        interval=spoken(question, said["interval"]),
        moved=float(0.5 * np.abs(found.share - searched.found.share).sum()),
    )


def best_run(searched: Searched, tolerance: float) -> BestRun:
    """The run of the least weighted sum, and how the proposal compares with its mixture."""
    swarm, goal = searched.found.swarm, searched.found.goal
    measured = swarm.values @ goal.weights
    at = int(measured.argmin())
    shares = zip(swarm.domains, swarm.shares[at].tolist(), strict=True)
    return searched.pair(swarm.shares[at]).best_run(
        swarm.runs[at],
        spoken(searched.question, dict(shares)),
        measured=float(measured[at]),
        tolerance=tolerance,
    )


def trade_off(found: Proposal) -> dict[str, Band]:
    """What each metric gains or loses from the reference to the proposal."""
    both = np.stack([found.share, found.reference])
    return {
        metric.name: Pair(metric.value(both), metric.drawn(both), ENDS).loss
        for metric in found.metrics
    }
