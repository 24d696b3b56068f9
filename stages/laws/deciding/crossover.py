"""At which compute does the best arm change, and how sure is that: crossover budgets with intervals.

A draw in which the arms do not cross inside the searched range still says on which side the crossing lies, and
counts as 'below' or 'above' it; so an end of an interval may be open (None). `share` is the share of draws with
a crossing inside the range: a small share means that the existence of the flip is itself in doubt.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from stages.foundation.errors import InputError
from stages.laws.choosing.averaged import Prediction
from stages.laws.deciding.path import ArmColumns, Path, arm_path

# grid points a decade of compute; crossings are interpolated between them
PER_DECADE = 24

ROUNDING = 1e-12  # measured: log values of equal arms differ by less


@dataclass(frozen=True)
class Crossover:
    """Below `flops` the first arm is better, above it the second. low / high None: open at that end of the range."""

    first: str
    second: str
    flops: float
    low: float | None
    high: float | None
    share: float
    level: float


@dataclass(frozen=True)
class Crossovers:
    """`sequence`: (best arm, from flops, to flops) over the range; `switches`: the crossovers between neighbours in it;
    `pairs`: (arm, arm) -> all their crossovers; `pair_share`: (arm, arm) -> share of draws in which they cross at all.
    """

    flops_low: float
    flops_high: float
    sequence: list[tuple[str, float, float]]
    switches: list[Crossover]
    pairs: dict[tuple[str, str], list[Crossover]]
    pair_share: dict[tuple[str, str], float]


def crossovers(
    boot: Prediction,
    arms: ArmColumns,
    flops_low: float,
    flops_high: float,
    *,
    n_params: float | None = None,
    n_params_range: tuple[float, float] | None = None,
    level: float = 0.9,
) -> Crossovers:
    """Crossover budgets between all arms within [flops_low, flops_high]. Cost: arms x 24 budgets a decade x draws.

    >>> from stages.laws import get_law
    >>> from stages.laws.choosing.bootstrap import bootstrap
    >>> from stages.laws.fitting.fit import fit_law
    >>> from stages.laws.interface.table import example_runs
    >>> rows = example_runs()
    >>> fit = fit_law(get_law("chinchilla"), rows, by_arm=("E", "B"))
    >>> boot = bootstrap(fit, rows, clusters="pool_draw", n_draws=200)
    >>> found = crossovers(boot, {"strict": {}, "loose": {}}, 1e16, 1e22, n_params=1e8)
    >>> [arm for arm, _, _ in found.sequence]
    ['strict', 'loose']
    >>> switch = found.switches[0]  # the truth: 6 N D = 6e18 FLOPs at 1e8 parameters, 1e10 tokens
    >>> bool(switch.low < 6e18 < switch.high)
    True
    """
    if not 0 < flops_low < flops_high:
        raise InputError(
            f"the searched compute must grow, got {flops_low:g} to {flops_high:g}"
        )
    n = max(8, int(np.ceil(PER_DECADE * np.log10(flops_high / flops_low))) + 1)
    path = arm_path(
        boot,
        np.geomspace(flops_low, flops_high, n),
        arms,
        n_params=n_params,
        n_params_range=n_params_range,
    )
    pairs, shares = {}, {}
    for a, b in combinations(path.values, 2):
        pairs[a, b] = _pair(path, a, second=b, level=level) + _pair(
            path, b, second=a, level=level
        )
        pairs[a, b].sort(key=lambda crossing: crossing.flops)
        signs = np.sign(path.draws[a] - path.draws[b])
        shares[a, b] = float(np.mean((signs.min(axis=1) < 0) & (signs.max(axis=1) > 0)))
    sequence, switches = _sequence(path, pairs)
    return Crossovers(
        flops_low,
        flops_high=flops_high,
        sequence=sequence,
        switches=switches,
        pairs=pairs,
        pair_share=shares,
    )


def _rises(log_flops: np.ndarray, curve: np.ndarray) -> np.ndarray:
    """log flops where a curve (budgets,) goes from 0 or below to above 0, interpolated.

    Arms that differ only in their unique tokens are equal, not crossing, until the first repeat: hence 'or'.
    """
    curve = np.where(np.abs(curve) < ROUNDING, 0.0, curve)
    i = np.flatnonzero((curve[:-1] <= 0) & (curve[1:] > 0))
    return log_flops[i] + (log_flops[i + 1] - log_flops[i]) * curve[i] / (
        curve[i] - curve[i + 1]
    )


def _pair(path: Path, first: str, second: str, level: float) -> list[Crossover]:
    """Crossings at which `first` stops being the better of the two."""
    log_flops = np.log(path.flops)
    found = _rises(log_flops, np.log(path.values[first]) - np.log(path.values[second]))
    if not found.size:
        return []
    by_draw = [
        _rises(log_flops, curve)
        for curve in np.log(path.draws[first]) - np.log(path.draws[second])
    ]
    last = path.draws[first][:, -1] - path.draws[second][:, -1]
    return [
        _crossover(first, second, at=at, by_draw=by_draw, last=last, level=level)
        for at in found
    ]


def _crossover(first, second, at, by_draw, last, level) -> Crossover:
    """One crossing with its interval: in each draw the crossing next to it, or the side on which it must lie."""
    drawn = np.array(
        [
            c[np.argmin(np.abs(c - at))] if c.size else (np.inf if end < 0 else -np.inf)
            for c, end in zip(by_draw, last, strict=True)
        ]
    )
    low, high = np.quantile(
        drawn, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf"
    )
    # draws of a crossing that many of them lack may all lie on one side of it
    low, high = min(low, at), max(high, at)
    return Crossover(
        first,
        second=second,
        flops=float(np.exp(at)),
        low=float(np.exp(low)) if np.isfinite(low) else None,
        high=float(np.exp(high)) if np.isfinite(high) else None,
        share=float(np.mean(np.isfinite(drawn))),
        level=level,
    )


def _sequence(path: Path, pairs):
    """Best arm by stretch of compute, and the crossovers between the stretches."""
    names = list(path.values)
    best = np.argmin(np.stack([path.values[name] for name in names]), axis=0)
    change = np.flatnonzero(np.diff(best))
    switches = []
    for i in change:
        a, b = names[best[i]], names[best[i + 1]]
        near = [
            c
            for c in pairs.get((a, b)) or pairs.get((b, a)) or []
            if (c.first, c.second) == (a, b)
        ]
        if near:
            middle = np.sqrt(path.flops[i] * path.flops[i + 1])
            switches.append(min(near, key=lambda c: abs(np.log(c.flops / middle))))
    edges = [path.flops[0], *(c.flops for c in switches), path.flops[-1]]
    order = [names[best[0]], *(c.second for c in switches)]
    return [
        (arm, float(edges[i]), float(edges[i + 1])) for i, arm in enumerate(order)
    ], switches
