"""One question between arms as decide looks at it: what is known, what its arms offer, and what it is asked for."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from stages.answers.branches import with_control
from stages.answers.parts import metric_record
from stages.decision.controls import chance_lead
from stages.decision.question_laws import Evidence, load, twins
from stages.decision.record import Metric
from stages.decision.scope import Offers, Scope, offers, scope_of
from stages.decision.text import arm_label
from stages.decision.worth import baseline_of
from stages.laws.choosing.averaged import Prediction
from stages.laws.deciding.path import ArmColumns
from stages.settings.decide import DecideParams


@dataclass(frozen=True)
class Case:
    """arms: data/arms/arms.json; names: the arms of the question; chance: of each target budget the lead that equal
    arms show, unit of the metric, None without a twin.
    """

    name: str
    arms: dict[str, Any]
    params: DecideParams
    known: Evidence
    offered: Offers
    scope: Scope
    labels: dict[str, str]
    baseline: str | None
    chance: list[float | None]

    @property
    def names(self) -> list[str]:
        return self.arms["questions"][self.name]["arms"]

    @property
    def title(self) -> str:
        return self.arms["questions"][self.name]["title"]

    @property
    def boot(self) -> Prediction:
        return self.known.boot

    @property
    def rows(self) -> pl.DataFrame:
        """The runs that were fitted."""
        return self.known.rows

    @property
    def columns(self) -> ArmColumns:
        """What each arm offers a law where the answer is asked for."""
        return self.offered.there

    @property
    def metric(self) -> Metric:
        fitted = self.known.fitted
        return metric_record(fitted.metric, self.rows["modality"][0], fitted.judges)


def case_of(name: str, arms: dict[str, Any], params: DecideParams) -> Case:
    """The case of a question, from the files of fit and arms."""
    names = arms["questions"][name]["arms"]
    known = load(name, arms["tiers"])
    pairs = twins(arms, names)
    offered, twin_columns = offers(names, list(pairs), arms, params, known.rows)
    scope = scope_of(known.rows, params)
    return Case(
        name=name,
        arms=arms,
        params=params,
        known=known,
        offered=offered,
        scope=scope,
        labels=with_control(
            {arm: arm_label(arm, arms["arms"][arm]) for arm in names},
            arms["questions"][name],
        ),
        baseline=baseline_of(names, arms["arms"], offered.there, named=params.baseline),
        chance=chance_lead(
            known.boot,
            twin_columns,
            pairs=pairs,
            flops=params.target_flops,
            n_params=scope.n_params,
            level=params.level,
        ),
    )
