"""From a question to the arms that it needs: its swarm, each run as an arm of one resample."""

import itertools
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stages.foundation.errors import InputError, ParamsError
from stages.mixtures.design import Designed as Run
from stages.mixtures.design import design, over_draws, refuse_few
from stages.presentation.numbers import listed
from stages.presentation.phase_names import DECAY, STABLE, in_phase
from stages.searched.asked import Made, Parts
from stages.settings.arms import Arm, ArmsParams
from stages.settings.questions import (
    CLUSTERS,
    Designed,
    MixtureQuestion,
    unfit,
)

log = logging.getLogger("assay")
UPSAMPLING_TITLE = "How often should each tier of quality be used?"
STEEP = (
    7.0  # as often as the worst document is the best used on the steep curve (assumed)
)


def designed(
    name: str,
    question: Designed,
    params: ArmsParams,
    pool_tokens: Mapping[str, float],
    parts: Parts | None = None,
) -> Made:
    """The arms that one question makes. pool_tokens: pool -> tokens, duplicates removed; parts: of the clusters that
    it mixes.

    Raises ParamsError where the question has too few runs, or names no cluster that there is.
    """
    if isinstance(question, MixtureQuestion):
        mixed: Mapping[str, float] = pool_tokens
        over = list(question.over)
        if question.over == CLUSTERS:
            mixed = {part: sum(held.values()) for part, held in (parts or {}).items()}
            over = list(mixed)
            if fault := unfit(question, over):
                raise ParamsError(f"arms.questions.{name}: {fault}")
        prior = prior_of(question, over, mixed)
        if outside := outside_of(question, prior):
            log.warning(
                "arms: %s: the prior lies outside of floors and caps (%s); runs are drawn"
                " from within, and the proposal is still held against the prior",
                name,
                ", ".join(outside),
            )
        described = {"title": titled(question, over), "prior": prior, "over": over}
        if parts:
            described["parts"] = parts
        return swarm_arms(name, question, prior, params=params, described=described)
    title = question.title or UPSAMPLING_TITLE
    return Made(curve_arms(name, params.tier_edges), {}, {"title": title})


def titled(question: MixtureQuestion, over: Sequence[str]) -> str:
    """The title that the question has, or one of what it mixes."""
    if question.title:
        return question.title
    if question.over == CLUSTERS:
        return f"Which mixture of {len(over)} kinds of text?"
    return f"Which mixture of {listed(over)}?"


def curve_arms(name: str, edges: list[float]) -> dict[str, Arm]:
    """The curves over tiers that a question trains: all tiers alike, the worst one, two, ... dropped, one that falls
    in a line, one that falls steeply. edges: between tiers. Every curve that falls lies between the first of them.

    >>> arms = curve_arms("up", [0.2, 0.6])
    >>> list(arms), arms["up-linear"].uses
    (['up-flat', 'up-top_60', 'up-top_20', 'up-linear', 'up-steep'], {0.2: 1.8, 0.6: 1.2, 1.0: 0.4})
    """
    ends = [*edges, 1.0]
    middles = [(low + high) / 2 for low, high in itertools.pairwise([0.0, *ends])]
    linear = {
        end: round(2 * (1 - at), 6) for end, at in zip(ends, middles, strict=True)
    }
    steep = {
        end: round(STEEP ** (1 - at), 6) for end, at in zip(ends, middles, strict=True)
    }
    tops = {f"{name}-top_{100 * end:g}": Arm(keep=end) for end in reversed(edges)}
    return {
        f"{name}-flat": Arm(),
        **tops,
        f"{name}-linear": Arm(uses=linear),
        f"{name}-steep": Arm(uses=steep),
    }


def outside_of(question: MixtureQuestion, prior: Mapping[str, float]) -> list[str]:
    """`web 0.2, at least 0.5` of each pool whose share of the prior its floor or cap forbids."""
    said = []
    for pool, share in prior.items():
        if share < question.floors.get(pool, 0.0):
            said.append(f"{pool} {share:.3g}, at least {question.floors[pool]:g}")
        if share > question.caps.get(pool, 1.0):
            said.append(f"{pool} {share:.3g}, at most {question.caps[pool]:g}")
    return said


def prior_of(
    question: MixtureQuestion, over: Sequence[str], tokens: Mapping[str, float]
) -> dict[str, float]:
    """Pool or cluster -> share of the mixture that a proposal is held against. tokens: of each of `over`."""
    if question.prior == "natural":
        total = sum(tokens[name] for name in over)
        return {name: tokens[name] / total for name in over}
    return {name: question.prior.get(name, 0.0) for name in over}


def swarm_arms(
    name: str,
    question: MixtureQuestion,
    prior: Mapping[str, float],
    *,
    params: ArmsParams,
    described: dict[str, Any],
) -> Made:
    """The arms of a swarm, each on one resample; with two phases each has an arm for its decays beside it.

    prior: of the pools or clusters; described: what the question says so far.
    """
    runs = designed_runs(name, question, prior, params)
    draws = over_draws(runs, params.draws)
    names = [f"{name}-{at:0{len(str(len(runs) - 1))}d}" for at in range(len(runs))]
    clusters_of = name if question.over == CLUSTERS else None
    arms = {
        arm: mixed_arm(prior, run.share, clusters_of)
        for arm, run in zip(names, runs, strict=True)
    }
    decays: dict[str, str] = {}
    if question.two_phases:
        last = decay_shares(name, question, prior, params, runs)
        decays = {arm: f"{arm}-{DECAY}" for arm in names}
        arms |= {
            decays[arm]: mixed_arm(prior, share, clusters_of)
            for arm, share in zip(names, last, strict=True)
        }
        described = described | {
            "mixtures": {
                arm: phase_shares(prior, run.share, share)
                for arm, run, share in zip(names, runs, last, strict=True)
            }
        }
    of_arm = dict(zip(names, draws, strict=True))
    on = {arm: [draw] for arm, draw in of_arm.items()}
    on |= {decays[arm]: [draw] for arm, draw in of_arm.items() if arm in decays}
    return Made(arms, on, described, decays)


def designed_runs(
    name: str, question: MixtureQuestion, prior: Mapping[str, float], params: ArmsParams
) -> list[Run]:
    """The mixtures that are trained, of the stable phase where there are two. Raises ParamsError for too few runs."""
    try:
        if question.two_phases:
            refuse_few(question.runs, question.n_domains)
        return design(
            np.array(list(prior.values())),
            question.runs,
            low=np.array([question.floors.get(part, 0.0) for part in prior]),
            high=np.array([question.caps.get(part, 1.0) for part in prior]),
            seed=params.seed,
            most_repeats=params.draws - 1,
        )
    except InputError as error:
        raise ParamsError(f"arms.questions.{name}.runs: {error}") from None


def decay_shares(
    name: str,
    question: MixtureQuestion,
    prior: Mapping[str, float],
    params: ArmsParams,
    runs: Sequence[Run],
) -> list[np.ndarray]:
    """The mixture that each run's decays read, (domains,) each: the prior with the prior, a repeat with its own, else
    mixtures of another design in an order of their own, so that both phases move apart.
    """
    again = params.model_copy(update={"seed": params.seed + 1})
    others = [
        run.share
        for run in designed_runs(name, question, prior, again)
        if run.role != "repeat"
    ]
    order = np.random.default_rng(params.seed).permutation(len(others) - 1) + 1
    by_number = [others[0], *(others[at] for at in order)]
    return [by_number[run.number] for run in runs]


def mixed_arm(
    prior: Mapping[str, float], share: np.ndarray, clusters_of: str | None
) -> Arm:
    """An arm of this mixture (domains,) in the order of the prior."""
    shares = zip(prior, share.tolist(), strict=True)
    mixture = {part: each for part, each in shares if each > 0}
    return Arm(mixture=mixture, clusters_of=clusters_of)


def phase_shares(
    prior: Mapping[str, float], stable: np.ndarray, last: np.ndarray
) -> dict[str, float]:
    """Domain in a phase -> share of that phase. stable, last: (domains,) in the order of the prior."""
    return {
        in_phase(phase, part): each
        for phase, share in ((STABLE, stable), (DECAY, last))
        for part, each in zip(prior, share.tolist(), strict=True)
    }
