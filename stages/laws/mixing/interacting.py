"""The exponential mixing law with products of two shares in its exponent, and the planes that touch it.

    value = E + exp(k + sum_j t_j s_j + sum_(i <= j) b_ij u_i u_j),   u: standardised shares

Ours: where two domains help or hurt one another the plain law is off by more than its noise, and a surface without
a formula needs many more runs. b is shrunk, with a size that the runs settle; the fit goes in rounds, each the
linear regression about the last.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from stages.laws.mixing.polynomial import pair_slope, pairs
from stages.laws.mixing.tangent import PRIOR_SD, scaled_basis

LONGEST = 1.0  # ours: largest change of an exponent in a round
ARRIVED = 1e-3


@dataclass(frozen=True)
class Interacting:
    """constants: E, k and t, (domains + 1,); bends: b, (products,); heights: sd of b before the runs are seen.

    The features of b carry all of it, not what differs from `bends`, so that shrinking pulls to 0.
    """

    constants: np.ndarray
    bends: np.ndarray
    to_basis: np.ndarray = field(repr=False)
    centre: np.ndarray = field(repr=False)
    width: np.ndarray = field(repr=False)
    heights: np.ndarray = field(repr=False)

    def value(self, shares: np.ndarray) -> np.ndarray:
        """The law less what its features of b add, (points,)."""
        bent = pairs(self._u(shares)) @ self.bends
        return self.constants[0] + self.term(shares) * (1 - bent)

    def features(self, shares: np.ndarray) -> np.ndarray:
        """Those of E, k and t, then those of b, (points, features)."""
        of_law = self.departures(shares) @ self.to_basis
        return np.hstack([of_law, self.products(shares) * self.heights])

    def departures(self, shares: np.ndarray) -> np.ndarray:
        """d value / d (E, k, t), (points, domains + 1)."""
        term = self.term(shares)[:, None]
        return np.hstack([np.ones_like(term), term, term * shares[:, 1:]])

    def products(self, shares: np.ndarray) -> np.ndarray:
        """d value / d b, (points, products)."""
        return pairs(self._u(shares)) * self.term(shares)[:, None]

    def slope(self, shares: np.ndarray, coefs: np.ndarray) -> np.ndarray:
        """d (value + coefs . features) / d share, (points, domains)."""
        u, n_law = self._u(shares), self.to_basis.shape[1]
        moved = coefs[:, :n_law] @ self.to_basis.T
        bends = coefs[:, n_law:] * self.heights - self.bends
        factor = 1 + moved[:, 1] + np.sum(moved[:, 2:] * shares[:, 1:], axis=1)
        factor = factor + np.sum(bends * pairs(u), axis=1)
        here = np.broadcast_to(self.bends, bends.shape)
        steep = np.append(0.0, self.constants[2:]) + pair_slope(u, here) / self.width
        by_share = factor[:, None] * steep + pair_slope(u, bends) / self.width
        by_share[:, 1:] += moved[:, 2:]
        return self.term(shares)[:, None] * by_share

    def term(self, shares: np.ndarray) -> np.ndarray:
        """exp(k + ...), (points,)."""
        exponent = self.constants[1] + shares[:, 1:] @ self.constants[2:]
        exponent = exponent + pairs(self._u(shares)) @ self.bends
        return np.exp(np.clip(exponent, -700.0, 50.0))

    def moved(
        self, coefs: np.ndarray, shares: np.ndarray
    ) -> tuple["Interacting", float]:
        """The law at the constants that coefs (features,) mean, and by how much that moves the exponent."""
        n_law = self.to_basis.shape[1]
        of_law = self.to_basis @ coefs[:n_law]
        of_bends = coefs[n_law:] * self.heights - self.bends
        change = of_law[1] + shares[:, 1:] @ of_law[2:]
        change = change + pairs(self._u(shares)) @ of_bends
        most = float(np.abs(change).max())
        part = min(1.0, LONGEST / max(most, 1e-12))
        constants = self.constants + part * of_law
        at = replace(self, constants=constants, bends=self.bends + part * of_bends)
        return at, most

    def on_runs(self, shares: np.ndarray, spread: float) -> "Interacting":
        """With features of E, k and t that each move the runs by PRIOR_SD of their spread."""
        basis = scaled_basis(self.departures(shares), PRIOR_SD * spread)
        return replace(self, to_basis=basis)

    def _u(self, shares: np.ndarray) -> np.ndarray:
        return (shares - self.centre) / self.width
