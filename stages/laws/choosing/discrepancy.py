"""How far every law is off beyond the runs: an error that grows with the distance and is learnt from back-tests.

A law errs there by more than its refits scatter, because no law is exact. Measured on published studies
(benchmarks/law_backtest.py): the squared log error of a weighted mean of laws is explained by four parts,
    noise of a run, spread of the laws around their mean, (PER_LOG d)^2, (PER_REPEAT r)^2, (PER_MOVE m)^2,
where d is the distance beyond the runs in natural logs of size and tokens (the root of their squares; of compute
where it is more), r that in epochs, and m how far the prediction itself moves beyond them, in log value. The parts
of a draw are one slope each: errors beyond the data keep their sign. Part of a slope is common to all
arms of a comparison, so it leaves their leads; the rest is the arm's own. What the runs themselves show of a law
that is off is no part of this: misfit.py.

The factors come from studies that the table is not one of; the table's own folds scale them (`own_scale`).
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from stages.laws.interface import table

# ours, on the wide side: what the likelihood of the open studies asks for is .0022, .022, .062 and .23 under t errors
# with 4 degrees of freedom (benchmarks/law_backtest.py); with these their 90 % intervals hold .87 to .97 of the rows
PER_LOG = 0.004  # log error a natural log of distance
PER_REPEAT = 0.025  # log error a natural log of epochs beyond any run's
PER_MOVE = 0.12  # log error over the predicted movement beyond the runs
BETWEEN = 0.5  # error of the mean over the laws' scatter around it
# ours: an arm's own error one doubling beyond its runs, over the noise of the mean of one place: noise hides a misfit
# of its own size, and what it hides goes on
UNSEEN = 1.0
RAMP = 0.693  # the natural log of 2, over which that error reaches its size
# ours: share of a squared slope that is common to the arms; of .5 the leads of the open comparisons left more than a
# tenth outside of their intervals (benchmarks/lead_backtest.py)
SHARED = 0.35
SHARED_UNIQUE = 0.95  # assumed: how repeats act in another pool size is a matter of the law, not of the arm
BELIEF = 1.0  # ours: that errors are of the usual size counts as much as one axis of the table
MOST_SURPRISE = 25.0  # ours: one fold that is off by more than five deviations says no more than five
CLIPPED = ("n_params", "n_tokens_seen")


@dataclass(frozen=True)
class Reach:
    """The largest value of each axis among the runs, and the least of unique tokens: what counts as beyond them."""

    limits: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: table.Rows) -> "Reach":
        """Of the axes that the rows have: flops, n_params, n_tokens_seen, epochs."""
        limits = {"flops": float(table.run_flops(rows).max())}
        limits |= {name: float(np.max(rows[name])) for name in CLIPPED if name in rows}
        if {"n_tokens_seen", "n_tokens_unique"} <= set(rows):
            limits["epochs"] = float(np.max(_epochs(rows)))
            unique = table.unique_tokens(rows)
            limits |= {"least unique": float(unique.min())}
            limits |= {"most unique": float(unique.max())}
        return cls(limits)

    def distance(self, rows: table.Rows) -> np.ndarray:
        """Natural logs by which each row lies beyond the runs, (rows,)."""
        names = [name for name in ("flops", *CLIPPED) if name in self.limits]
        beyond = {name: self._beyond(rows, name) for name in names}
        of_compute = beyond.pop("flops")
        if not {"n_params", "n_tokens_seen"} & set(beyond):
            return of_compute
        rest = sum((part**2 for part in beyond.values()), np.zeros(1))
        return np.maximum(np.sqrt(rest), of_compute)

    def repeats(self, rows: table.Rows) -> np.ndarray:
        """Natural logs by which each row repeats its data more often than any run did, (rows,)."""
        return self._beyond(rows, "epochs") if "epochs" in self.limits else np.zeros(1)

    def unique(self, rows: table.Rows) -> np.ndarray:
        """Natural logs by which the unique tokens of rows that repeat them differ from those of any run, (rows,)."""
        known = {"n_tokens_seen", "n_tokens_unique"} <= set(rows)
        if not known or "most unique" not in self.limits:
            return np.zeros(1)
        unique = table.unique_tokens(rows)
        least, most = self.limits["least unique"], self.limits["most unique"]
        apart = np.abs(np.log(unique / np.clip(unique, least, most)))
        return np.where(_epochs(rows) > 1.0, apart, 0.0)

    def inside(self, rows: table.Rows) -> dict[str, np.ndarray]:
        """The rows with size, tokens and compute cut at the edge of the runs."""
        if not {"n_params", "n_tokens_seen"} <= set(self.limits) & set(rows):
            return {
                **rows,
                **self._cut(rows, "flops"),
                **self._cut(rows, "n_tokens_seen"),
            }
        cut = {
            **rows,
            **self._cut(rows, "n_params"),
            **self._cut(rows, "n_tokens_seen"),
        }
        if "epochs" in self.limits and "n_tokens_unique" in rows:
            most = self.limits["epochs"] * table.unique_tokens(rows)
            cut["n_tokens_seen"] = np.minimum(cut["n_tokens_seen"], most)
        if "flops" in rows:
            ratio = cut["n_params"] * cut["n_tokens_seen"]
            ratio = ratio / (
                np.asarray(rows["n_params"], float)
                * np.asarray(rows["n_tokens_seen"], float)
            )
            cut["flops"] = np.asarray(rows["flops"], float) * ratio
        return cut

    def _cut(self, rows: table.Rows, name: str) -> dict[str, np.ndarray]:
        if name not in rows or name not in self.limits:
            return {}
        return {name: np.minimum(np.asarray(rows[name], float), self.limits[name])}

    def _beyond(self, rows: table.Rows, name: str) -> np.ndarray:
        if name == "epochs":
            known = {"n_tokens_seen", "n_tokens_unique"} <= set(rows)
            value = _epochs(rows) if known else np.ones(1)
        elif name == "flops":
            value = table.run_flops(rows)
        else:
            value = np.asarray(rows.get(name, self.limits[name]), float)
        return np.maximum(0.0, np.log(value / self.limits[name]))


def departing(unique: np.ndarray) -> np.ndarray:
    """Error of the mean over the laws' scatter around it, (rows,).

    unique: natural logs by which unique tokens differ from those of any run. No fold asks for another pool, so nothing
    says that the mean is better there than a law: from a doubling on, draws depart as far as their laws do.

    >>> departing(np.array([0.0, np.log(2), np.log(8)])).tolist()
    [0.5, 1.0, 1.0]
    """
    return BETWEEN + (1 - BETWEEN) * np.minimum(unique / np.log(2), 1.0)


def _epochs(rows: table.Rows) -> np.ndarray:
    return np.asarray(rows["n_tokens_seen"], float) / table.unique_tokens(rows)


@dataclass(frozen=True)
class Spread:
    """Parts of the log error of a prediction, each (rows,)."""

    noise: float
    misfit: np.ndarray
    between: np.ndarray
    distance: np.ndarray
    repeats: np.ndarray
    unique: np.ndarray
    moved: np.ndarray

    def variance(self) -> np.ndarray:
        """Squared log error that the parts explain at scale 1, (rows,)."""
        known = self.noise**2 + self.misfit**2 + self._scatter()
        repeated = PER_REPEAT**2 * (self.repeats**2 + self.unique**2)
        return known + self._slopes() + repeated

    def own_variance(self) -> np.ndarray:
        """What of it is an arm's own, without the noise of runs, (rows,)."""
        own = (1 - SHARED) * (self._slopes() + (PER_REPEAT * self.repeats) ** 2)
        return own + self.misfit**2 + self._scatter()

    def _scatter(self) -> np.ndarray:
        return (departing(self.unique) * self.between) ** 2

    def _slopes(self) -> np.ndarray:
        return (PER_LOG * self.distance) ** 2 + (PER_MOVE * self.moved) ** 2


def own_scale(surprises: Mapping[str, Sequence[float]]) -> float:
    """Factor on the usual errors, from the table's own folds.

    surprises: axis -> of each of its folds the mean squared log error over the variance explained. The folds
    of one axis are nested, so an axis counts once.

    >>> own_scale({"flops": [1.0, 1.0]})
    1.0
    >>> round(own_scale({"flops": [16.0, 16.0], "n_params": [16.0]}), 2)
    3.32
    """
    by_axis = [
        float(np.mean(np.minimum(values, MOST_SURPRISE)))
        for values in surprises.values()
    ]
    return float(np.sqrt((BELIEF + sum(by_axis)) / (BELIEF + len(by_axis))))


def slopes(
    n_draws: int,
    arms: np.ndarray,
    seed: int,
    *,
    shared: float = SHARED,
    scale: float = 1.0,
    own_scale: float = 1.0,
) -> np.ndarray:
    """Normal slopes of each draw, (draws, rows), equal for rows of one arm.

    A slope is sqrt(shared) of a common one, times scale, and sqrt(1 - shared) of the arm's, times own_scale.
    Two calls with one seed give the same draws.
    """
    common = np.random.default_rng([seed, 1]).standard_normal(n_draws)
    drawn = np.empty((n_draws, arms.size))
    for arm in np.unique(arms):
        rng = np.random.default_rng([seed, 2, zlib.crc32(str(arm).encode())])
        own = own_scale * np.sqrt(1 - shared) * rng.standard_normal(n_draws)
        drawn[:, arms == arm] = (scale * np.sqrt(shared) * common + own)[:, None]
    return drawn
