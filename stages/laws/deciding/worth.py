"""What the best arm is worth at a budget: the compute at which the baseline reaches its value, over the budget.

The law is inverted: along the baseline's own curve, the least budget that comes down to the value that the best arm
has at the target. In every draw both curves are those of that draw, so that an error that arms have in common cancels.
The same in tokens at the size that the best arm has there. Cost: one path of the baseline over six decades and more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from stages.laws.choosing.averaged import Prediction
from stages.laws.deciding.crossover import PER_DECADE, ROUNDING, Crossover, Crossovers
from stages.laws.deciding.generation import parts_of
from stages.laws.deciding.path import ArmColumns, arm_path, path_cost, path_rows

LEAST_TIMES, MOST_TIMES = 1e-2, 1e4  # ours: further away a ratio has no use
IN_THE_LIMIT = 1e12  # ours: what is not reached at so many times the budget never is
Ends = tuple[float | None, float | None, float | None]


class Compared(Protocol):
    """One budget of a comparison: FLOPs, the best arm and the second."""

    @property
    def flops(self) -> float: ...
    @property
    def best(self) -> str: ...
    @property
    def second(self) -> str | None: ...
    @property
    def n_params(self) -> dict[str, float]: ...


@dataclass(frozen=True)
class Worth:
    """`best` at `flops` does what `baseline` does at `times` as much compute, and at `tokens_times` as many tokens.

    times None: not within 10,000 times; never: not in the law's limit either. low None: below 0.01 times, high None:
    above 10,000; both are cut at these. until: where the best arm falls behind the baseline, None beyond the search.
    """

    flops: float
    best: str
    baseline: str
    level: float
    times: float | None
    low: float | None
    high: float | None
    tokens_times: float | None
    tokens_low: float | None
    tokens_high: float | None
    never: bool
    until: Crossover | None


def worths(
    boot: Prediction,
    compared: Sequence[Compared],
    arms: ArmColumns,
    *,
    baseline: str | None,
    found: Crossovers | None = None,
    n_params: float | None = None,
    n_params_range: tuple[float, float] | None = None,
    level: float = 0.9,
) -> list[Worth]:
    """The worth of the best arm at each budget that has a second arm.

    baseline: the arm that keeps everything; where it is itself the best, and for None, the second is asked. found: the
    crossings searched, for the budget above which nothing is left. Sizes as in compare.

    >>> from stages.laws import get_law
    >>> from stages.laws.choosing.bootstrap import bootstrap
    >>> from stages.laws.deciding.compare import compare
    >>> from stages.laws.fitting.fit import fit_law
    >>> from stages.laws.interface.table import example_runs
    >>> rows = example_runs()
    >>> fit = fit_law(get_law("chinchilla"), rows, by_arm=("E", "B"))
    >>> boot = bootstrap(fit, rows, clusters="pool_draw", n_draws=50)
    >>> arms = {"strict": {}, "loose": {}}
    >>> decisions = compare(boot, [1e18], arms, n_params=1e8)
    >>> [worth] = worths(boot, decisions, arms, baseline="loose", n_params=1e8)
    >>> worth.best, bool(1 < worth.low < worth.times < worth.high)
    ('strict', True)
    """
    sizes = {"n_params": n_params, "n_params_range": n_params_range}
    made = []
    for one in compared:
        other = one.second if baseline in (None, one.best) else baseline
        if other is None:
            continue
        compute = _ratio(boot, one, other, arms=arms, level=level, sizes=sizes)
        size, pair = one.n_params[one.best], (one.best, other)
        tokens = compute
        if not np.isfinite(size):
            tokens = (None, None, None)
        elif n_params is None:
            fixed = {"n_params": size, "n_params_range": None}
            tokens = _ratio(boot, one, other, arms=arms, level=level, sizes=fixed)
        if np.isfinite(size) and any(parts_of(arms[arm])[0].size for arm in pair):
            tokens = _in_tokens(tokens, boot, one, other, arms=arms, size=size)
        made.append(
            Worth(
                flops=one.flops,
                best=one.best,
                baseline=other,
                level=level,
                times=compute[0],
                low=compute[1],
                high=compute[2],
                tokens_times=tokens[0],
                tokens_low=tokens[1],
                tokens_high=tokens[2],
                never=compute[0] is None and _never(boot, one, other, arms, sizes),
                until=_until(found, one, other),
            )
        )
    return made


def _ratio(boot, one: Compared, other: str, *, arms, level: float, sizes) -> Ends:
    """(times, low, high) of the budget at which `other` reaches the best arm's value."""
    n = int(PER_DECADE * np.log10(MOST_TIMES / LEAST_TIMES)) + 1
    times = np.geomspace(LEAST_TIMES, MOST_TIMES, n)
    at = arm_path(boot, [one.flops], {one.best: arms[one.best]}, **sizes)
    along = arm_path(boot, one.flops * times, {other: arms[other]}, **sizes)
    point = first_reached(times, along.values[other][None], at.values[one.best])
    draws = first_reached(times, along.draws[other], at.draws[one.best][:, 0])
    low, high = np.quantile(
        draws, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf"
    )
    return (
        _inside(point[0]),
        MOST_TIMES if low > MOST_TIMES else _inside(low),
        LEAST_TIMES if high < LEAST_TIMES else _inside(high),
    )


def _in_tokens(
    times: Ends, boot, one: Compared, other: str, *, arms, size: float
) -> Ends:
    """Ratios of compute as ratios of the tokens trained on, which differ where text is generated. Ends stay open."""

    def n_tokens(arm: str, flops: float) -> float:
        rows = path_rows(
            np.array([flops]),
            np.array([size]),
            arms[arm],
            cost=path_cost(boot.fit.cost, size),
        )
        return float(rows["n_tokens_seen"][0])

    own = n_tokens(one.best, one.flops)
    low, middle, high = (
        None if each is None else n_tokens(other, each * one.flops) / own
        for each in (times[1], times[0], times[2])
    )
    return middle, low, high


def first_reached(
    times: np.ndarray, curves: np.ndarray, wanted: np.ndarray
) -> np.ndarray:
    """Where each curve first comes down to its wanted value, (draws,); 0 before the first point, inf nowhere.

    times (points,), rising; curves (draws, points); wanted (draws,). Between points both are straight in logs.

    >>> first_reached(np.array([1.0, 4.0]), np.array([[2.0, 1.0]]), np.array([2**0.5]))
    array([2.])
    """
    log_times, least = np.log(times), np.log(np.minimum.accumulate(curves, axis=1))
    log_wanted = np.log(wanted)
    reached = least <= log_wanted[:, None] + ROUNDING
    at = reached.argmax(axis=1)
    before, row = np.maximum(at - 1, 0), np.arange(at.size)
    above = least[row, before] - log_wanted
    step = np.maximum(least[row, before] - least[row, at], ROUNDING)
    part = np.clip(above / step, 0.0, 1.0)
    where = log_times[before] + part * (log_times[at] - log_times[before])
    found = np.where(at == 0, 0.0, np.exp(where))
    return np.where(reached.any(axis=1), found, np.inf)


def _inside(ratio: float) -> float | None:
    return float(ratio) if 0 < ratio < np.inf else None


def _never(boot, one: Compared, other: str, arms, sizes) -> bool:
    """Whether even the law's limit leaves the baseline above the best arm's value."""
    at = arm_path(boot, [one.flops], {one.best: arms[one.best]}, **sizes)
    limit = arm_path(
        boot, [one.flops * IN_THE_LIMIT], {other: arms[other]}, **sizes
    ).values[other]
    return not bool(limit[0] <= at.values[one.best][0])


def _until(found: Crossovers | None, one: Compared, baseline: str) -> Crossover | None:
    """The first crossing above the budget at which the best arm stops being the better of the two."""
    if found is None:
        return None
    pair = found.pairs.get((one.best, baseline)) or found.pairs.get(
        (baseline, one.best), []
    )
    after = [
        crossing
        for crossing in pair
        if crossing.first == one.best and crossing.flops > one.flops
    ]
    return min(after, key=lambda crossing: crossing.flops, default=None)
