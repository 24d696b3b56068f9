"""Predictions from a weighted mean of laws, with an error that grows beyond the runs.

A draw is one law, one of its refits, and one slope of what every law is off by beyond the runs (discrepancy.py).
The value is the weighted mean of the laws' log values; a draw departs from it by half of what its law does (laws
scatter further around their mean than the mean errs; by all of it where the pool is another than any run's), by what
its refit does, and by its slopes. Draws of two rows, and of two arms, belong together: a lead is a difference of equal
draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from stages.laws.choosing.bootstrap import (
    MIN_ARM_RUNS,
    Bootstrap,
    bootstrap,
    equal_tailed,
)
from stages.laws.choosing.choose import Choice
from stages.laws.choosing.discrepancy import (
    PER_LOG,
    PER_MOVE,
    PER_REPEAT,
    RAMP,
    SHARED,
    SHARED_UNIQUE,
    UNSEEN,
    departing,
    slopes,
)
from stages.laws.choosing.errors import Errors, arms_of
from stages.laws.fitting.fit import Fit
from stages.laws.interface import table

WIDEST = 600.0  # ours: a log value beyond it is a law that left its range, and its weight goes to the others


@dataclass(frozen=True)
class Mixture:
    """members: refits of each law, the one with most weight first; shares: their weights (members,).

    member, refit: of each draw the law and its refit, (draws,). errors: what their mean is off by.
    """

    members: tuple[Bootstrap, ...]
    shares: np.ndarray
    member: np.ndarray = field(repr=False)
    refit: np.ndarray = field(repr=False)
    errors: Errors
    seed: int = 0

    @property
    def fit(self) -> Fit:
        """Of the law with most weight."""
        return self.members[0].fit

    @property
    def chosen(self) -> Bootstrap:
        """Refits of the law with most weight."""
        return self.members[0]

    @property
    def warnings(self) -> list[dict[str, str]]:
        return self.chosen.warnings

    @property
    def n_draws(self) -> int:
        return self.member.size

    @property
    def n_clusters(self) -> int:
        return self.chosen.n_clusters

    def central(self, rows: table.Rows, arm: str | None = None) -> np.ndarray:
        """Weighted mean of the laws with what the runs nearby say of it, as a value, (rows,)."""
        return np.exp(self._centre(self._points(rows, arm), rows, arm))

    def predict(
        self,
        rows: table.Rows,
        arm: str | None = None,
        *,
        new_run: bool = False,
        seed: int = 0,
    ) -> np.ndarray:
        """Value at each row in each draw, (draws, rows). Row d of two calls belongs to the same draw.

        A law that reads a column which the rows lack leaves its draws to the mean of the others.
        new_run=True adds the noise of one new run, of the row's own arm where it has MIN_ARM_RUNS.
        """
        points = self._points(rows, arm)
        centre = self._mean(points)
        near = self._centre(points, rows, arm)
        drawn = np.tile(near, (self.n_draws, 1))
        share = departing(self.errors.reach.unique(rows))
        for i, point in points.items():
            own = np.flatnonzero(self.member == i)
            if own.size:
                drawn[own] += share * (point - centre) + self._refits(
                    i, rows, arm, own=own, point=point
                )
        drawn += self._beyond(rows, arm, centre)
        if new_run:
            drawn += self._new_run(rows, arm, drawn.shape, seed)
        return np.exp(np.clip(drawn, -690, 690))

    def interval(
        self,
        rows: table.Rows,
        arm: str | None = None,
        *,
        level: float = 0.9,
        new_run: bool = False,
    ) -> tuple[np.ndarray, np.ndarray]:
        """(low, high) of the value at each row, each (rows,)."""
        return equal_tailed(self.predict(rows, arm, new_run=new_run), level)

    def _points(self, rows: table.Rows, arm: str | None) -> dict[int, np.ndarray]:
        """Log value of each usable law at each row: member -> (rows,)."""
        found = {}
        for i, boot in enumerate(self.members):
            if set(boot.fit.law.variable_names) <= set(rows):
                with np.errstate(all="ignore"):
                    value = np.nan_to_num(boot.fit.predict(rows, arm), nan=np.inf)
                    log_value = np.log(np.maximum(value, 1e-300))
                if np.abs(log_value).max() < WIDEST:
                    found[i] = log_value
        return found or {0: np.log(np.maximum(self.fit.predict(rows, arm), 1e-300))}

    def _mean(self, points: dict[int, np.ndarray]) -> np.ndarray:
        shares = self.shares[list(points)]
        return np.tensordot(shares / shares.sum(), np.stack([*points.values()]), axes=1)

    def _centre(self, points, rows, arm: str | None) -> np.ndarray:
        """Log value with the misfit, (rows,)."""
        mean = self._mean(points)
        if len(points) < len(self.members) and self._lacking(rows):
            return mean  # what all of the laws leave over says nothing of some of them
        arms = self._arms(rows, arm, mean.size)
        return mean + self.errors.misfit.mean(rows, arms)

    def _lacking(self, rows) -> bool:
        """Whether a law reads a column that the rows lack."""
        return any(
            not set(boot.fit.law.variable_names) <= set(rows) for boot in self.members
        )

    def _refits(self, i, rows, arm, *, own, point) -> np.ndarray:
        """Departure of the refits of one law from its fit, (own draws, rows)."""
        boot = self.members[i]
        with np.errstate(all="ignore"):
            values = boot.fit.values(boot.theta[self.refit[own]], rows, arm)
            departure = np.log(np.maximum(values, 1e-300)) - point
        departure = np.nan_to_num(departure, nan=0.0, posinf=0.0, neginf=0.0)
        return boot.stretch * departure

    def _beyond(self, rows, arm, centre: np.ndarray) -> np.ndarray:
        """What the laws are off by beyond the runs, (draws, rows)."""
        arms = self._arms(rows, arm, centre.size)
        reach = self.errors.reach
        inside = self._mean(self._points(reach.inside(rows), arm))
        moved = centre - np.broadcast_to(inside, centre.shape)
        distance = np.broadcast_to(reach.distance(rows), centre.shape)
        repeats = np.broadcast_to(reach.repeats(rows), centre.shape)
        drawn = PER_LOG * distance * self._slopes(arms, 0)
        drawn += PER_MOVE * moved * self._slopes(arms, 1)
        if repeats.any():
            drawn += PER_REPEAT * repeats * self._slopes(arms, 3)
        unique = np.broadcast_to(reach.unique(rows), centre.shape)
        if unique.any():
            drawn += PER_REPEAT * unique * self._slopes(arms, 4, shared=SHARED_UNIQUE)
        if self.fit.by_arm:
            unseen = UNSEEN * self.errors.misfit.unseen
            ramp = np.minimum(distance / RAMP, 1.0)
            drawn += unseen * ramp * slopes(self.n_draws, arms, self.seed + 2, shared=0)
        return drawn + self.errors.misfit.draws(
            rows, arms, n_draws=self.n_draws, seed=self.seed
        )

    def _slopes(
        self, arms: np.ndarray, part: int, shared: float = SHARED
    ) -> np.ndarray:
        """Slopes of one part of the error, (draws, rows)."""
        return slopes(
            self.n_draws,
            arms,
            self.seed + part,
            shared=shared,
            scale=self.errors.scale,
            own_scale=self.errors.own_scale,
        )

    def _new_run(self, rows, arm, shape, seed: int) -> np.ndarray:
        """Noise of one new run, (draws, rows)."""
        rng, noise = np.random.default_rng(seed), np.empty(shape)
        arms = self.fit.arm_index(rows, arm, shape[1])
        fitted = self.fit.problem.arm_index
        for position in np.unique(arms):
            own = self.errors.noise[fitted == position]
            usable = own - own.mean() if own.size >= MIN_ARM_RUNS else self.errors.noise
            columns = arms == position
            noise[:, columns] = rng.choice(usable, size=(shape[0], int(columns.sum())))
        return noise

    def _arms(self, rows, arm: str | None, n: int) -> np.ndarray:
        """Name of each row's arm, one for all where nothing is separate by arm."""
        fits = [member.fit for member in self.members]
        if arm is not None and any(fit.by_arm for fit in fits):
            return np.full(n, str(arm))
        return arms_of(fits, rows, self.fit.arm_column, n)


# what predictions are drawn from: refits of one law, or a weighted mean of laws
Prediction = Bootstrap | Mixture


def mixture(
    choice: Choice,
    rows: table.Rows,
    *,
    clusters: str | Sequence[str] = (),
    n_draws: int = 1000,
    values: np.ndarray | None = None,
    seed: int = 0,
) -> Mixture:
    """Refits of the laws of a choice on the `rows` that it was made from, n_draws in all, by weight.

    values: (draws, runs) observed values by draw, as in bootstrap. Cost: that of one bootstrap.

    >>> from stages.laws import get_law
    >>> from stages.laws.choosing.choose import choose_law
    >>> rows = table.example_runs()
    >>> choice = choose_law([get_law("chinchilla"), get_law("power_floor_tokens")], rows)
    >>> members = mixture(choice, rows, clusters="pool_draw", n_draws=20)
    >>> low, high = members.interval({"n_params": 1e9, "n_tokens_seen": 2e11}, arm="loose")
    >>> bool(low < high)
    True
    """
    if "flops" not in rows and "n_params" in rows:
        rows = {**rows, "flops": table.run_flops(rows)}
    shares = np.array([share for _, share in choice.members])
    counts = _whole(shares, n_draws)
    member = np.random.default_rng(seed).permutation(
        np.repeat(np.arange(shares.size), counts)
    )
    boots, refit = [], np.zeros(n_draws, int)
    for i, (fit, _) in enumerate(choice.members):
        own = np.flatnonzero(member == i)
        boot = bootstrap(
            fit,
            rows,
            clusters=clusters,
            n_draws=max(own.size, 1),
            values=None if values is None or not own.size else values[own],
            seed=seed + i,
        )
        boots.append(boot)
        refit[own] = np.arange(own.size) % max(boot.n_draws, 1)
    return Mixture(
        tuple(boots),
        shares=shares,
        member=member,
        refit=refit,
        errors=choice.errors,
        seed=seed,
    )


def _whole(shares: np.ndarray, n_draws: int) -> np.ndarray:
    """Draws of each member in proportion to its share, (members,), largest remainders first."""
    exact = shares / shares.sum() * n_draws
    counts = np.floor(exact).astype(int)
    rest = np.argsort(-(exact - counts), kind="stable")[: n_draws - counts.sum()]
    counts[rest] += 1
    return counts
