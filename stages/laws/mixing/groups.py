"""Shares in groups that each keep their sum: one whole, or a whole for each phase of a schedule."""

from collections.abc import Sequence

import numpy as np

Group = tuple[np.ndarray, float]  # indices of the shares, and what they add up to


def whole(n_domains: int) -> tuple[Group, ...]:
    """One group of all shares, which add up to 1."""
    return ((np.arange(n_domains), 1.0),)


def within(
    shares: np.ndarray, low: np.ndarray, high: np.ndarray, groups: Sequence[Group] = ()
) -> np.ndarray:
    """Shares (points, domains) brought to their sums within bounds, each of a group moved alike where it can."""
    scaled = shares.astype(float)
    for own, total in groups or whole(shares.shape[1]):
        sums = np.maximum(shares[:, own].sum(axis=1, keepdims=True), 1e-12)
        scaled[:, own] = shares[:, own] * total / sums
    return project(scaled, low, high, groups)


def project(
    shares: np.ndarray, low: np.ndarray, high: np.ndarray, groups: Sequence[Group] = ()
) -> np.ndarray:
    """The nearest shares within bounds of which each group keeps its sum, (points, domains)."""
    found = np.empty_like(shares, dtype=float)
    for own, total in groups or whole(shares.shape[1]):
        found[:, own] = _nearest(shares[:, own], low[own], high[own], total)
    return found


def _nearest(
    shares: np.ndarray, low: np.ndarray, high: np.ndarray, total: float
) -> np.ndarray:
    """The nearest shares within bounds that add up to `total`, (points, domains)."""
    furthest = np.abs(shares).max(axis=1, keepdims=True) + 1.0
    below, above = -furthest, furthest
    for _ in range(40):
        shift = (below + above) / 2
        over = np.clip(shares + shift, low, high).sum(axis=1, keepdims=True) > total
        below, above = np.where(over, below, shift), np.where(over, shift, above)
    return np.clip(shares + (below + above) / 2, low, high)
