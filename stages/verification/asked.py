"""What is to be trained after one decision: arms, budgets, settings, and the trunks that follow."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from stages.curation.selecting.recipes import recipes
from stages.decision.question_laws import twins
from stages.decision.record import DecisionRecord, read_decision
from stages.foundation import artefacts
from stages.foundation.errors import ParamsError
from stages.presentation.metric_words import SUITE
from stages.proxy.specs.spec import RunSpec
from stages.runs.suite import with_suite, with_weighted
from stages.searched.record import Decision, SearchedRecord
from stages.settings.verify import VerifyParams
from stages.sweeping.branches import require_checkpoint
from stages.sweeping.views import Views
from stages.verification.branched import Kin, at_every_setting
from stages.verification.carried_on import (
    Trunk,
    carried_specs,
    parents_of,
    trained_after,
    trunks_of,
    untrained,
)
from stages.verification.chosen import (
    Setting,
    arms_to_train,
    budgets_to_train,
    settings_by_budget,
    tokens_of,
    unfiltered_arm,
    winners,
)
from stages.verification.judged import Claim, Prediction, Said

log = logging.getLogger("assay")
WEIGHTED = "loss_weighted"  # a sum of losses of several held-out domains, nats a token
CONTROL = ("the control, 100 % replay", "the control")
SAME_POOL = 0.05  # assumed: arms whose different tokens differ by less are one


@dataclass(frozen=True)
class Asked:
    """One question with what is to be trained for it. arms: arm -> why; parents: the sweep's trunks; said: of a search
    what it says of its target; kin: of branches the parents at every setting that has a trunk.
    """

    decision: Decision
    claim: Claim
    parents: dict[tuple[str, int], RunSpec]
    arms: dict[str, str] = field(default_factory=dict)
    trunks: list[Trunk] = field(default_factory=list)
    said: Sequence[Said] = ()
    kin: Kin = field(default_factory=dict)

    @property
    def family(self) -> dict[Any, RunSpec]:
        """All that what is trained may carry on."""
        return {**self.parents, **self.kin}

    def parent_at(
        self, arm: str, draw: int, setting: Setting
    ) -> tuple[RunSpec, Setting]:
        """What is carried on at a setting, and the setting: of branches one that has a trunk."""
        parent = self.parents[arm, draw]
        if parent.branch is None:
            return parent, setting
        own = self.kin.get((arm, draw, setting), parent)
        return own, (own.weight_decay, own.dropout)

    @property
    def metric(self) -> str:
        """The metric that is predicted, as `measured` names it."""
        return metric_of(self.decision)

    def measured(self, runs: pl.DataFrame) -> pl.DataFrame:
        """A runs table with the rows of the metric, where it is made of others."""
        return measured_by(self.decision, runs)

    @property
    def targets(self) -> Sequence[Said]:
        """What the decision said of what is trained after it: nothing where it speaks for another size or pool."""
        if isinstance(self.decision, SearchedRecord):
            return self.said
        if self.decision.n_params.value != self.claim.n_params:
            return []
        if any(target.generation_flops for target in self.decision.targets):
            return []  # its budgets hold more than the training that is measured
        run = self.decision.target
        there = {each.arm: each.unique_tokens for each in run.repetition} if run else {}
        alike = all(
            abs(tokens / self.claim.columns[arm]["n_tokens_unique"] - 1) < SAME_POOL
            for arm, tokens in there.items()
        )
        return self.decision.targets if alike else []

    def trained(self, data: Views) -> list[dict[str, Any]]:
        """Every run on disk that carries on one of the trunks."""
        return trained_after(self.family, self.trunks, data)


def metric_of(decision: Decision) -> str:
    """The metric of a decision; WEIGHTED where it is a sum of several losses."""
    if isinstance(decision, DecisionRecord):
        return decision.metric.name
    weighed = [each.name for each in decision.metrics if each.weight > 0]
    if len(weighed) == 1:
        return weighed[0]
    return WEIGHTED if decision.unit.startswith("nats") else SUITE


def measured_by(decision: Decision, runs: pl.DataFrame) -> pl.DataFrame:
    """A runs table with rows of the decision's metric."""
    if isinstance(decision, DecisionRecord) or decision.kind == "upsampling":
        return with_suite(runs, decision.judges)
    weights = {each.name: each.weight for each in decision.metrics if each.weight > 0}
    return with_weighted(runs, weights, metric_of(decision))


def ask(name: str, data: Views, prediction: Prediction, params: VerifyParams) -> Asked:
    """Which arms, to which budgets, at which settings; planned and not trained. A question that is not asked for
    has no arms and no trunks.
    """
    decision = read_decision(artefacts.decision(name))
    names = data.arms["questions"][name]["arms"]
    pairs = twins(data.arms, names)
    n_params = size_of(decision)
    runs = measured_by(decision, pl.read_parquet(artefacts.RUNS)).filter(
        pl.col("arm").is_in([*names, *pairs])
        & (pl.col("n_params") == n_params)
        & (pl.col("metric") == decision.metric.name)
    )
    views = pl.read_parquet(artefacts.VIEWS)
    claim = Claim(
        prediction=prediction,
        columns=recipes(views, [*names, *pairs], data.arms["tiers"]),
        n_params=n_params,
        reach=float(runs["flops"].max()),
        level=decision.level,
    )
    parents = parents_of(runs)
    asked = Asked(
        decision, claim=claim, parents=parents, kin=at_every_setting(parents, runs)
    )
    if params.questions is not None and name not in params.questions:
        return asked
    top = top_of(params, claim.reach)
    branch = data.arms["questions"][name].get("branch")
    arms = chosen_arms(
        claim,
        names,
        top=top,
        pairs=pairs,
        data=data,
        params=params,
        control=branch["control"] if branch else None,
    )
    trunks = plan(asked, arms, runs=runs, data=data, top=top, n_draws=params.draws)
    if branch and branch["checkpoint"] and trunks:
        require_checkpoint(branch, trunks[0]["spec"])
    return replace(asked, arms=arms, trunks=trunks)


def chosen_arms(
    claim: Claim,
    names: list[str],
    *,
    top: float,
    pairs: dict[str, str],
    data: Views,
    params: VerifyParams,
    control: str | None = None,
) -> dict[str, str]:
    """Arm -> why it is trained. top: FLOPs; pairs: twin -> arm; control: of branches, for the unfiltered arm."""
    predicted = claim.values(names, top)
    if control is not None:
        chosen = arms_to_train(
            predicted, control, n_best=params.best_arms, words=CONTROL
        )
    else:
        offered = {arm: data.arms["arms"][arm] for arm in names}
        unfiltered = unfiltered_arm(offered, claim.columns)
        chosen = arms_to_train(predicted, unfiltered, n_best=params.best_arms)
    if not params.control:
        return chosen
    controls = {
        twin: f"control, the same data as {arm}"
        for twin, arm in pairs.items()
        if arm in chosen
    }
    return chosen | controls


def size_of(decision: Decision) -> int:
    """The size that the decision speaks for; where it was not trained, the largest that was."""
    size = decision.n_params
    return size.value if size.value in size.trained else max(size.trained)


def top_of(params: VerifyParams, reach: float) -> float:
    """The largest compute to train to, FLOPs. ParamsError where it is within what was fitted."""
    top = params.flops or params.times * reach
    if top <= reach:
        raise ParamsError(
            f"verify.flops: {top:.3g} is not above the {reach:.3g} FLOPs that were"
            " fitted; raise it"
        )
    return top


def within_the_pool(parent: RunSpec, tokens: list[int], data: Views) -> list[int]:
    """The budgets for which the arm has enough different tokens to repeat as at the target; the others with a line."""
    if parent.unique_tokens is None:
        return tokens
    most = data.views[parent.arm].n_tokens * parent.budgets_tokens[-1]
    kept = [each for each in tokens if each * parent.unique_tokens <= most]
    if len(kept) < len(tokens):
        log.info(
            "verify: %s has too few different tokens to repeat as the target will at"
            " %d tokens; larger pools would do",
            parent.arm,
            max(tokens),
        )
    return kept


def plan(
    asked: Asked,
    arms: Iterable[str],
    *,
    runs: pl.DataFrame,
    data: Views,
    top: float,
    n_draws: int,
) -> list[Trunk]:
    """The trunks of these arms that are still to be trained, at settings that won in the sweep.

    runs: of the sweep, one size and metric; top: FLOPs.
    """
    claim, won = asked.claim, winners(runs)
    draws = sorted(runs["pool_draw"].unique())[:n_draws]
    targets = [target.flops for target in asked.targets]
    specs = []
    for arm in arms:
        n_unique = claim.columns[arm]["n_tokens_unique"]
        for draw in draws:
            parent = asked.parents[arm, draw]
            flops = budgets_to_train(
                claim.reach, top, targets=targets, schedule=parent.schedule
            )
            tokens = tokens_of(flops, claim.n_params, parent.batch_tokens)
            if asked.decision.target is not None:
                tokens = within_the_pool(parent, tokens, data)
            if not tokens:
                continue
            by_setting = settings_by_budget(won, arm, tokens, n_unique=n_unique)
            for setting, budgets in by_setting.items():
                own, setting = asked.parent_at(arm, draw, setting)
                specs += carried_specs(own, budgets, setting, data.views[own.arm])
    there = trained_after(asked.family, [], data)
    return trunks_of(untrained(specs, there), data)
