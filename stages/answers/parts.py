"""Parts of a decision record that need no law: the metric, the size spoken for, what was measured."""

from collections.abc import Sequence

import polars as pl

from stages.decision.record import (
    DecisionLaw,
    HeldoutCheck,
    Metric,
    Point,
    QuestionFit,
    SpokenSize,
)
from stages.decision.scope import Scope
from stages.decision.text import check_text
from stages.laws.deciding.path import ArmColumns
from stages.presentation.metric_words import metric_parts, metric_unit
from stages.runs.judge_record import Judge
from stages.settings.decide import DecideParams


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
