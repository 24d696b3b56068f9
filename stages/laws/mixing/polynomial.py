"""Slopes and products of two shares about a flat mean: the quadratic surface of a designed swarm.

    value = mean + c + sum_j a_j u_j + sum_(i <= j) b_ij u_i u_j,   u: standardised shares

a and b are shrunk: their common sizes are learnt with the noise (scales.py). Without products it is the mean
of the smooth surfaces.
"""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Polynomial:
    """heights: sd that each feature may move the value by, (features,). centre, width: of shares (domains,)."""

    mean: float
    centre: np.ndarray = field(repr=False)
    width: np.ndarray = field(repr=False)
    heights: np.ndarray = field(repr=False)

    def value(self, shares: np.ndarray) -> np.ndarray:
        """(points,)"""
        return np.full(len(shares), self.mean)

    def features(self, shares: np.ndarray) -> np.ndarray:
        """(points, features)"""
        return products((shares - self.centre) / self.width) * self.heights

    def slope(self, shares: np.ndarray, coefs: np.ndarray) -> np.ndarray:
        """d (value + coefs . features) / d share, (points, domains)."""
        u = (shares - self.centre) / self.width
        n_domains = u.shape[1]
        own = coefs * self.heights
        products_slope = pair_slope(u, own[:, 1 + n_domains :])
        by_u = own[:, 1 : 1 + n_domains] + products_slope
        return by_u / self.width


def pairs(u: np.ndarray) -> np.ndarray:
    """Products of two, (points, products)."""
    rows, columns = np.triu_indices(u.shape[1])
    return u[:, rows] * u[:, columns]


def pair_slope(u: np.ndarray, coefs: np.ndarray) -> np.ndarray:
    """d (coefs . pairs) / d u, (points, domains)."""
    n_domains = u.shape[1]
    matrix = np.zeros((len(u), n_domains, n_domains))
    matrix[:, *np.triu_indices(n_domains)] = coefs
    return np.einsum("pij,pj->pi", matrix + matrix.swapaxes(1, 2), u)


def products(u: np.ndarray) -> np.ndarray:
    """1, u and the products of two, (points, features)."""
    return np.hstack([np.ones((len(u), 1)), u, pairs(u)])


def groups(n_domains: int) -> np.ndarray:
    """0 for the constant, 1 for slopes, 2 for products, (features,)."""
    n_products = n_domains * (n_domains + 1) // 2
    return np.repeat([0, 1, 2], [1, n_domains, n_products])
