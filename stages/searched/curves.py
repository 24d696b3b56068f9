"""Curves over tiers of quality that never rise: how often each is used, and the best of them by the laws over tiers.

Every curve that falls is a mean of "the best k tiers alike", so it is searched as a mixture of these. Its tokens are
given, so the uses of a tier follow from its share: uses = share * tokens / different tokens. Cost: 1 to 5 s.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.laws.choosing.averaged import Prediction

N_CANDIDATES, N_CLOSE = 1_200, 400  # ours
CLOSE = 40.0  # pseudo-counts of the second round, around the best of the first
CHUNK = 400  # curves asked at once


@dataclass(frozen=True)
class Ground:
    """What curves are asked for. unique: different tokens of each tier, best first, (tiers,); most: largest uses."""

    tiers: tuple[str, ...]
    unique: np.ndarray
    n_params: float
    n_tokens: float
    most: float

    @property
    def flat(self) -> np.ndarray:
        """Shares of the tiers where all are used alike, (tiers,)."""
        return self.unique / self.unique.sum()

    def uses(self, shares: np.ndarray) -> np.ndarray:
        """Times that a document of each tier is used, of the shape of shares (..., tiers)."""
        return shares * self.n_tokens / self.unique

    def by_tier(self, values: np.ndarray) -> dict[str, float]:
        """Tier -> value, (tiers,)."""
        return dict(zip(self.tiers, values.tolist(), strict=True))

    def rows(self, shares: np.ndarray) -> dict[str, np.ndarray]:
        """Rows for laws, one a curve; a tier that is not used has one token, since laws divide by it."""
        n_curves = len(shares)
        used = np.where(shares > 0, self.unique, 1.0)
        flops = 6.0 * self.n_params * self.n_tokens
        rows = {
            "n_params": np.full(n_curves, self.n_params),
            "n_tokens_seen": np.full(n_curves, self.n_tokens),
            "n_tokens_unique": np.where(shares > 0, self.unique, 0.0).sum(axis=1),
            "flops": np.full(n_curves, flops),
        }
        rows |= {f"share_{tier}": shares[:, i] for i, tier in enumerate(self.tiers)}
        return rows | {
            f"unique_{tier}": used[:, i] for i, tier in enumerate(self.tiers)
        }


@dataclass(frozen=True)
class Found:
    """share: of the tiers on the best curve, (tiers,); draws: on the best of each draw, (draws, tiers)."""

    share: np.ndarray
    draws: np.ndarray


@dataclass(frozen=True)
class Limit:
    """A judge by whose prediction no curve may be above the flat one by more than `margin`, bits a byte."""

    boot: Prediction
    margin: float

    def keeps(self, ground: Ground, shares: np.ndarray) -> np.ndarray:
        """Whether each curve keeps it, (curves,)."""
        flat = central(self.boot, ground, ground.flat[None])
        return central(self.boot, ground, shares) <= flat + self.margin


def best_curve(
    boot: Prediction, ground: Ground, *, seed: int, limits: Sequence[Limit] = ()
) -> Found:
    """The curve of least predicted loss, of the mean and of each draw, among those within `most` uses and the limits,
    which the flat one always keeps.
    """
    rng = np.random.default_rng(seed)
    n_tiers = ground.unique.size
    weights = np.vstack(
        [np.eye(n_tiers), rng.dirichlet(np.full(n_tiers, 0.5), N_CANDIDATES)]
    )
    first = within_most(weights @ steps(ground.unique), ground)
    kept = allowed(first, ground, limits)
    weights, first = weights[kept], first[kept]
    near = weights[central(boot, ground, first).argmin()]
    closer = rng.dirichlet(CLOSE * near + 0.2, N_CLOSE)
    shares = np.vstack([first, within_most(closer @ steps(ground.unique), ground)])
    shares = shares[allowed(shares, ground, limits)]
    best = shares[central(boot, ground, shares).argmin()]
    return Found(best, shares[drawn(boot, ground, shares).argmin(axis=1)])


def allowed(shares: np.ndarray, ground: Ground, limits: Sequence[Limit]) -> np.ndarray:
    """Whether each curve keeps every limit, (curves,)."""
    kept = np.ones(len(shares), bool)
    for limit in limits:
        kept &= limit.keeps(ground, shares)
    return kept


def steps(unique: np.ndarray) -> np.ndarray:
    """Shares of the tiers where the best one, two, ... are used alike and the others not, (tiers, tiers).

    >>> steps(np.array([1.0, 3.0])).tolist()
    [[1.0, 0.0], [0.25, 0.75]]
    """
    kept = np.tril(np.ones((unique.size, unique.size))) * unique
    return kept / kept.sum(axis=1, keepdims=True)


def within_most(shares: np.ndarray, ground: Ground) -> np.ndarray:
    """Curves brought towards the flat one as far as the best tier is used too often, (curves, tiers)."""
    most = max(ground.most, float(ground.uses(ground.flat)[0]))
    top, flat = ground.uses(shares)[:, :1], ground.uses(ground.flat)[0]
    over = np.maximum(top - flat, 1e-12)
    kept = np.clip((most - flat) / over, 0.0, 1.0)
    return kept * shares + (1 - kept) * ground.flat


def central(boot: Prediction, ground: Ground, shares: np.ndarray) -> np.ndarray:
    """Predicted value of each curve, (curves,)."""
    return np.asarray(boot.central(ground.rows(shares)))


def drawn(boot: Prediction, ground: Ground, shares: np.ndarray) -> np.ndarray:
    """The same in each draw, (draws, curves)."""
    parts = [shares[at : at + CHUNK] for at in range(0, len(shares), CHUNK)]
    return np.hstack([boot.predict(ground.rows(part)) for part in parts])
