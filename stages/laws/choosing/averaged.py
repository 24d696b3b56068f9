"""Predictions that know that the law was chosen: draws from several candidates, stretched by what
the held-out runs showed.

The point value is the chosen law's. Each draw belongs to one candidate, in proportion to how often
it errs least on held-out runs (backtest.py); draw d is the same candidate and the same re-weighting
of clusters for every arm, so differences of arms stay paired. It is read like a Bootstrap by
`arm_path`, `compare` and `crossovers`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from stages.laws.choosing.bootstrap import Bootstrap, bootstrap, equal_tailed
from stages.laws.choosing.choose import Choice
from stages.laws.fitting.fit import Fit
from stages.laws.interface import table


@dataclass(frozen=True)
class Mixture:
    """chosen: the refits of the law chosen; members: those of all candidates in it; member:
    (draws,) index into them.
    """

    chosen: Bootstrap
    members: tuple[Bootstrap, ...] = field(repr=False)
    member: np.ndarray = field(repr=False)
    stretch: float

    @property
    def fit(self) -> Fit:
        return self.chosen.fit

    @property
    def warnings(self) -> list[dict[str, str]]:
        return self.chosen.warnings

    @property
    def n_draws(self) -> int:
        return self.member.size

    def predict(
        self,
        rows: table.Rows,
        arm: str | None = None,
        *,
        new_run: bool = False,
        seed: int = 0,
    ) -> np.ndarray:
        """Value at each row in each draw, (draws, rows). Row d of two calls belongs to the same draw.

        A member that reads a column which the rows lack leaves its draws to the chosen law.
        """
        centre = np.log(np.maximum(self.fit.predict(rows, arm), 1e-300))
        drawn = np.empty((self.n_draws, centre.size))
        usable = [
            i
            for i, boot in enumerate(self.members)
            if set(boot.fit.law.variable_names) <= set(rows)
        ]
        member = np.where(np.isin(self.member, usable), self.member, 0)
        for i in {0, *usable}:
            boot, own = self.members[i], np.flatnonzero(member == i)
            drawn[own] = np.log(
                boot.predict(rows, arm, new_run=new_run, seed=seed + i)[
                    own % boot.n_draws
                ]
            )
        return np.exp(np.clip(centre + self.stretch * (drawn - centre), -690, 690))

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


def mixture(
    choice: Choice,
    rows: table.Rows,
    *,
    clusters: str | Sequence[str] = (),
    n_draws: int = 1000,
    seed: int = 0,
) -> Mixture:
    """Refits of every member of a choice on the `rows` that it was made from. Cost: one bootstrap a member.

    >>> from stages.laws import get_law
    >>> from stages.laws.choosing.choose import choose_law
    >>> rows = table.example_runs()
    >>> choice = choose_law([get_law("chinchilla"), get_law("power_floor_tokens")], rows, n_cuts=2)
    >>> members = mixture(choice, rows, clusters="pool_draw", n_draws=20)
    >>> low, high = members.interval({"n_params": 1e9, "n_tokens_seen": 2e11}, arm="loose")
    >>> bool(low < high)
    True
    """
    boots = tuple(
        bootstrap(fit, rows, clusters=clusters, n_draws=n_draws, seed=seed)
        for fit, _ in choice.members
    )
    shares = np.array([share for _, share in choice.members])
    member = np.random.default_rng(seed).choice(
        shares.size, n_draws, p=shares / shares.sum()
    )
    return Mixture(boots[0], members=boots, member=member, stretch=choice.stretch)
