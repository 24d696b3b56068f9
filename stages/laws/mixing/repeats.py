"""What it costs to repeat the documents of a small domain, as a function of the mixture.

Domain i with U_i different tokens and share s_i of T tokens is passed e_i = s_i T / U_i times; beyond the first
pass its tokens count for less and less (data_constrained.py), so the run has D' <= T effective tokens:

    cost = B D'^-beta - B T^-beta,   D' = sum_i U_i (1 + R* (1 - exp(-(e_i - 1) / R*)))

A penalty in place of a cap: it grows slowly up to about four passes. Runs that repeated their domains as often as
the target will have it in their values already; then no cost belongs on top.
"""

from dataclasses import dataclass

import numpy as np

from stages.laws.repetition.data_constrained import decayed

# cited: Muennighoff et al. 2023, constants of the authors' code, nats a token
PUBLISHED = {"R_D_star": 15.387756, "B": 1487.7, "beta": 0.3526596}
LEAST_SHARE = 1e-9


@dataclass(frozen=True)
class Repeats:
    """tokens: T; unique: U, infinite where unknown, (domains,); params: R_D_star, B and beta."""

    tokens: float
    unique: np.ndarray
    params: dict[str, float]

    def passes(self, shares: np.ndarray) -> np.ndarray:
        """e, of the shape of shares (..., domains)."""
        return shares * self.tokens / self.unique

    def cost(self, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(points,) in the unit of B and its slope over the shares (points, domains).

        >>> repeats = Repeats(1e10, np.array([1e9, np.inf]), PUBLISHED)
        >>> repeats.cost(np.array([[0.1, 0.9], [0.9, 0.1]]))[0].round(3).tolist()
        [0.0, 0.031]
        """
        scale, beta = self.params["R_D_star"], self.params["beta"]
        seen = np.maximum(shares, LEAST_SHARE) * self.tokens
        unique = np.minimum(self.unique, seen)
        repeats = seen / unique - 1.0
        effective = decayed(unique, repeats, scale).sum(axis=1)
        whole = seen.sum(axis=1)
        each = self.params["B"] * effective**-beta
        least = self.params["B"] * whole**-beta
        by_effective = (-beta * each / effective)[:, None]
        by_share = by_effective * np.exp(-repeats / scale) * self.tokens
        by_whole = (-beta * least / whole)[:, None] * self.tokens
        return each - least, by_share - by_whole
