"""Which mixtures a prediction can be trusted for: those no further from the mixtures that were trained than
these lie from one another.

The distance of a mixture is the part of it that would have to move to reach a weighted mean of trained ones
(deciding/hull.py). The reach is REACH_TIMES the distance of the run that lies furthest from the others: about so
far predictions were checked. The region is convex, so a plane that cuts off one mixture outside cuts
off nothing inside, and the search collects such planes as it needs them.
"""

from dataclasses import dataclass, field

import numpy as np

from stages.laws.mixing.groups import Group

REACH_TIMES = 1.5  # assumed; 1 cuts corners off that few runs surround
LEAST_REACH = 0.05  # assumed: shares this close are not told apart
MOST_CHECKED = 96  # ours: runs left out one by one, 1 to 5 ms each
SLACK = 1e-4


@dataclass
class Trust:
    """known: (runs, domains); reach: part of a mixture; bounds: low and high share of each domain.

    groups: shares that keep a sum of their own, none where all are one whole. planes: (normal (domains,), most) pairs
    found so far: normal . share <= most holds inside.
    """

    known: np.ndarray
    reach: float
    low: np.ndarray
    high: np.ndarray
    groups: tuple[Group, ...] = ()
    planes: list[tuple[np.ndarray, float]] = field(default_factory=list)

    def wider(self, times: float) -> "Trust":
        """The region with a reach that many times as far."""
        reach = min(times * self.reach, 1.0)
        return Trust(self.known, reach, self.low, self.high, self.groups)

    def beyond(self, share: np.ndarray) -> float:
        """Distance of one mixture (domains,) from those trained, 0 between them."""
        return _nearest(share, self.known)[0]

    def cut(self, share: np.ndarray) -> bool:
        """Whether the mixture lies outside; then a plane between it and the region joins `planes`."""
        distance, slope, _ = _nearest(share, self.known)
        if distance <= self.reach + SLACK:
            return False
        self.planes.append((slope, float(self.reach - distance + slope @ share)))
        return True

    def inside(self, share: np.ndarray) -> np.ndarray:
        """The mixture itself, or on the way to the nearest trusted one the first that is trusted."""
        distance, _, nearest = _nearest(share, self.known)
        if distance <= self.reach + SLACK:
            return share
        moved = nearest + (share - nearest) * self.reach / distance
        return np.clip(moved, self.low, self.high)


def trust(
    known: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    reach: float | None = None,
    groups: tuple[Group, ...] = (),
) -> Trust:
    """The region of the runs, within bounds; reach None: as far as runs left out lay from the others."""
    known = np.unique(known.round(9), axis=0)
    if reach is None:
        reach = measured_reach(known)
    least = _least_distance(known, low, high)
    return Trust(
        known,
        reach=max(reach, least + LEAST_REACH * (least > reach)),
        low=low,
        high=high,
        groups=groups,
    )


def measured_reach(known: np.ndarray) -> float:
    """REACH_TIMES the largest distance of a run from the hull of the others."""
    picked = np.random.default_rng(0).permutation(len(known))[:MOST_CHECKED]
    each = [_nearest(known[i], np.delete(known, i, axis=0))[0] for i in picked]
    return max(LEAST_REACH, REACH_TIMES * max(each))


def _nearest(
    share: np.ndarray, known: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Part to move, its slope over the share (domains,), and the nearest mixture between known ones."""
    found = _program(known, fixed=share)
    n_runs, n_domains = known.shape
    slope = np.asarray(found.eqlin.marginals[:n_domains])
    return max(0.0, float(found.fun)), slope, found.x[:n_runs] @ known


def _least_distance(known: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Distance of the mixture within bounds that is nearest to the trained ones."""
    inside = ((known >= low - 1e-9) & (known <= high + 1e-9)).all(axis=1)
    return 0.0 if inside.any() else float(_program(known, low=low, high=high).fun)


def _program(known, fixed=None, low=None, high=None):
    """Least half absolute difference of a mixture, fixed or within bounds, from a mean of known ones."""
    from scipy.optimize import linprog  # here: it is slow to import

    n_runs, n_domains = known.shape
    one = np.eye(n_domains)
    mean = [known.T, one, -one]
    cost = [np.zeros(n_runs), np.full(2 * n_domains, 0.5)]
    limits = [(0.0, None)] * (n_runs + 2 * n_domains)
    whole = np.concatenate([np.ones(n_runs), np.zeros(2 * n_domains)])
    equal = np.append(np.zeros(n_domains) if fixed is None else fixed, 1.0)
    rows = [np.hstack(mean), whole]
    if fixed is None:
        rows = [
            np.hstack([*mean, -one]),
            np.append(whole, np.zeros(n_domains)),
            np.append(np.zeros_like(whole), np.ones(n_domains)),
        ]
        cost.append(np.zeros(n_domains))
        limits += list(zip(low, high, strict=True))
        equal = np.append(equal, 1.0)
    return linprog(
        np.concatenate(cost),
        A_eq=np.vstack(rows),
        b_eq=equal,
        bounds=limits,
        method="highs",
    )
