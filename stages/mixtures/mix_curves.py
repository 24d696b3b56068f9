"""What the figures of a proposal draw: the objective over each share, each metric on the way from the reference."""

import numpy as np
import polars as pl

from stages.laws.mixing.groups import whole
from stages.mixtures.proposal import ENDS, Proposal

N_POINTS = 41
BEYOND = 1.25  # of the way from the reference to the proposal
SLICE, TRADE_OFF = "slice", "trade-off"
COLUMNS = ("kind", "name", "x", "value", "low", "high", "at")


def mix_curves(found: Proposal) -> pl.DataFrame:
    """Columns kind, name, x, value, low, high and at, where the proposal lies: of kind slice the objective over the
    share of a domain, of kind trade-off the change of a metric over the way from the reference.
    """
    parts = [_slice(found, at) for at in range(len(found.swarm.domains))]
    return pl.concat([*parts, *_trade_offs(found)])


def _slice(found: Proposal, at: int) -> pl.DataFrame:
    own, total = next(
        (own, total)
        for own, total in found.swarm.groups or whole(found.share.size)
        if at in own
    )
    largest = float(found.swarm.shares[:, at].max()) / total
    mixtures = np.tile(found.share, (N_POINTS, 1))
    mixtures[:, own] = total * moved_share(
        found.share[own] / total,
        int(np.flatnonzero(own == at)[0]),
        np.linspace(0.0, largest, N_POINTS),
    )
    values, drawn = found.goal.values(mixtures), found.goal.drawn(mixtures)
    name, x = found.swarm.domains[at], mixtures[:, at] / total
    return _curve(SLICE, name, x, values, drawn, float(found.share[at] / total))


def _trade_offs(found: Proposal) -> list[pl.DataFrame]:
    way = np.linspace(0.0, BEYOND, N_POINTS)
    mixtures = found.reference + way[:, None] * (found.share - found.reference)
    mixtures = mixtures[(mixtures >= 0).all(axis=1)]
    way = way[: len(mixtures)]
    curves = []
    for metric in found.metrics:
        value, drawn = metric.value(mixtures), metric.drawn(mixtures)
        change, each = value - value[0], drawn - drawn[:, :1]
        curves.append(_curve(TRADE_OFF, metric.name, way, change, each, 1.0))
    return curves


def _curve(kind, name, x, value, drawn, at) -> pl.DataFrame:
    low, high = np.quantile(drawn, ENDS, axis=0)
    columns = {"x": x, "value": value, "low": low, "high": high}
    same = {"kind": pl.lit(kind), "name": pl.lit(name), "at": pl.lit(at)}
    return pl.DataFrame(columns).with_columns(**same).select(*COLUMNS)


def moved_share(share: np.ndarray, at: int, to: np.ndarray) -> np.ndarray:
    """Mixtures in which one domain has another share and the others keep their proportions, (points, domains).

    >>> moved_share(np.array([0.5, 0.3, 0.2]), 0, np.array([0.0])).round(3).tolist()
    [[0.0, 0.6, 0.4]]
    """
    others = np.delete(share, at)
    total = others.sum()
    parts = others / total if total > 0 else np.full(others.size, 1 / others.size)
    return np.insert((1 - to)[:, None] * parts, at, to, axis=1)
