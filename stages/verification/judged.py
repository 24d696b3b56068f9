"""Predicted against measured: of every run the interval of a new run, of every lead that of the difference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl

from stages.decision.at_budgets import Status
from stages.laws.choosing.bootstrap import equal_tailed
from stages.laws.deciding.path import ArmColumns, path_rows
from stages.verification.record import Verdict, VerifiedLead, VerifiedRun

# whole batches move a budget by less than this share of it
SAME_BUDGET = 0.01
Rows = Mapping[str, np.ndarray]


class Said(Protocol):
    """What a decision said at a budget."""

    @property
    def flops(self) -> float: ...

    @property
    def best(self) -> str: ...

    @property
    def status(self) -> Status: ...


class Prediction(Protocol):
    """What a decision predicts, for rows with the columns of the runs table and `arm`."""

    def point(self, rows: Rows) -> np.ndarray:
        """The value at each row, (rows,)."""

    def new_runs(self, rows: Rows) -> np.ndarray:
        """The value of one new run at each row in each draw, (draws, rows); draws are shared, noise is not."""


@dataclass(frozen=True)
class Claim:
    """What is judged: a prediction for arms of these columns at one size, with intervals of `level`.

    reach: the largest fitted compute at the size, FLOPs. of_values: whether values are predicted beside leads.
    named: the arm that leads are taken of; None: the one that was said to be best, else predicted.
    """

    prediction: Prediction
    columns: ArmColumns
    n_params: int
    reach: float
    level: float
    of_values: bool = True
    named: str | None = None

    def rows(
        self, arms: Sequence[str], flops: Sequence[float]
    ) -> dict[str, np.ndarray]:
        """Columns for arms at budgets, one row each, (rows,)."""
        parts = [
            path_rows(
                np.array([budget], float),
                n_params=np.array([float(self.n_params)]),
                columns=self.columns[arm],
            )
            for arm, budget in zip(arms, flops, strict=True)
        ]
        names = dict.fromkeys(name for part in parts for name in part)
        joined = {
            name: np.concatenate([part[name] for part in parts]) for name in names
        }
        return joined | {"arm": np.array(list(arms))}

    def values(self, arms: Sequence[str], flops: float) -> dict[str, float]:
        """Arm -> predicted value at one budget."""
        predicted = self.prediction.point(self.rows(arms, [flops] * len(arms)))
        return dict(zip(arms, map(float, predicted), strict=True))

    def leader(self, arms: Sequence[str], flops: float) -> str:
        """The arm that leads are taken of where nothing was said of the budget."""
        if self.named in arms:
            return str(self.named)
        values = self.values(arms, flops)
        return min(values, key=lambda arm: values[arm])


@dataclass(frozen=True)
class Judged:
    """The outcome of one question."""

    runs: list[VerifiedRun]
    leads: list[VerifiedLead]
    verdicts: list[Verdict]


def judge(claim: Claim, measured: pl.DataFrame, targets: Sequence[Said]) -> Judged:
    """Every run, lead and verdict. measured: one row an arm, budget and resample, as `best_settings` gives it;
    targets: what the decision said.
    """
    if measured.is_empty():
        return Judged([], [], [])
    rows = claim.rows(measured["arm"].to_list(), measured["flops"].to_list())
    point, drawn = claim.prediction.point(rows), claim.prediction.new_runs(rows)
    runs = judged_runs(claim, measured, point=point, drawn=drawn)
    if not claim.of_values:
        runs = []
    leads, verdicts = [], []
    for flops in measured["flops"].unique().sort():
        at = np.flatnonzero((measured["flops"] == flops).to_numpy())
        said = said_at(targets, flops)
        trained = measured[at]["arm"].unique().to_list()
        means = dict(
            measured[at].group_by("arm").agg(pl.col("value").mean()).iter_rows()
        )
        if said and said.best in trained and len(trained) > 1:
            verdicts.append(verdict(claim, said, means=means, flops=flops))
            best = said.best
        else:
            best = claim.leader(trained, flops)
        leads += [
            lead
            for other in sorted(set(trained) - {best})
            if (
                lead := judged_lead(
                    claim,
                    measured,
                    at=at,
                    pair=(best, other),
                    point=point,
                    drawn=drawn,
                )
            )
        ]
    return Judged(runs, leads, verdicts)


def judged_runs(
    claim: Claim, measured: pl.DataFrame, point: np.ndarray, drawn: np.ndarray
) -> list[VerifiedRun]:
    """One row a measured run. point (rows,), drawn (draws, rows)."""
    lows, highs = equal_tailed(drawn, claim.level)
    return [
        VerifiedRun(
            run_id=row["run_id"],
            arm=row["arm"],
            flops=row["flops"],
            times=row["flops"] / claim.reach,
            n_tokens_seen=row["n_tokens_seen"],
            epochs=row["epochs"],
            pool_draw=row["pool_draw"],
            weight_decay=row["weight_decay"],
            dropout=row["dropout"],
            measured=row["value"],
            predicted=float(value),
            low=float(low),
            high=float(high),
            inside=bool(low <= row["value"] <= high),
        )
        for row, value, low, high in zip(
            measured.iter_rows(named=True), point, lows, highs, strict=True
        )
    ]


def judged_lead(
    claim: Claim,
    measured: pl.DataFrame,
    at: np.ndarray,
    pair: tuple[str, str],
    point: np.ndarray,
    drawn: np.ndarray,
) -> VerifiedLead | None:
    """The first arm of the pair less the second at one budget; None without a resample that both were trained on.

    at: the rows of the budget in `measured`.
    """
    of_budget = measured[at].with_columns(place=pl.Series(at))
    first, second = (of_budget.filter(arm=arm) for arm in pair)
    both = first.join(second, on="pool_draw", suffix="_of_second")
    if both.is_empty():
        return None
    ours, theirs = both["place"].to_numpy(), both["place_of_second"].to_numpy()
    low, high = equal_tailed(
        (drawn[:, ours] - drawn[:, theirs]).mean(axis=1), claim.level
    )
    difference = float((both["value"] - both["value_of_second"]).mean())
    flops = float(both["flops"][0])
    return VerifiedLead(
        arm=pair[0],
        against=pair[1],
        flops=flops,
        times=flops / claim.reach,
        run_ids=sorted([*both["run_id"], *both["run_id_of_second"]]),
        measured=difference,
        predicted=float((point[ours] - point[theirs]).mean()),
        low=float(low),
        high=float(high),
        inside=bool(low <= difference <= high),
    )


def said_at(targets: Sequence[Said], flops: float) -> Said | None:
    """What the decision said at this budget; None where it did not speak of it."""
    for target in targets:
        if abs(target.flops / flops - 1) < SAME_BUDGET:
            return target
    return None


def verdict(
    claim: Claim, said: Said, means: Mapping[str, float], flops: float
) -> Verdict:
    """What was said against the arm that was measured best. means: arm -> measured value."""
    measured_best = min(means, key=lambda arm: means[arm])
    decided = said.status == "decided"
    return Verdict(
        flops=flops,
        times=flops / claim.reach,
        status=said.status,
        best=said.best,
        measured_best=measured_best,
        right=measured_best == said.best if decided else None,
    )
