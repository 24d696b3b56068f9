"""The whole loss curve from the learning-rate schedule, with a gain of decay that saturates
(multi-power law).

    value(t) = E + A / S(t)^alpha + B sum_{k<=t} (lr_k - lr_{k-1}) G(lr_k^-gamma (S(t) - S(k-1)))
    G(x) = 1 - (1 + C x)^-beta

S sums the rates, warm-up included, and so do the changes: the rising rates of the warm-up add up to
B * peak to the level, so E is not the irreducible loss. A row names its schedule by number and its
step; `multi_power(schedules)` holds the schedules themselves, those to be predicted too.
Neighbouring changes of one sign are taken together in blocks of at most BLOCK steps, each at its
own mean, and those further back in blocks of at most an eighth of their distance (1.5e-4 nats,
tested). B, C, beta and gamma are not identified by a few curves: use predictions. Cost: points x
blocks for each value, some 50 a point of 24,000 steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from stages.laws.interface.law import (
    Law,
    Parameter,
    Variable,
    amplitude,
    exponent,
    floor,
)
from stages.laws.schedules.schedule import warmup_stable_decay

BLOCK = 64
# ours: a block further back than its length times this may be twice as long
DISTANT = 8
CACHED = 30_000  # measured: pairs of members that are worked on at once
NAMES = ("C", "beta", "gamma")
LEAST_RATE = (
    1e-6  # ours: share of the peak at which a decay to 0 ends, so that its log exists
)
SCHEDULE = Variable(
    "schedule", "number", "which of the schedules, 1 is the first", typical=(1.0, 1.001)
)
STEP = Variable(
    "step", "steps", "optimiser steps so far, warm-up included", typical=(300.0, 2999.0)
)
EXAMPLE = (
    warmup_stable_decay(
        3000, 3e-4, warmup=200, decay_steps=1500, end=3e-5, shape="cosine"
    ),
)


@dataclass(frozen=True)
class Blocks:
    """Changes of one schedule. change, log_rate, area_before: (blocks,); first, last: their steps;
    area: S at each step.
    """

    change: np.ndarray
    log_rate: np.ndarray
    area_before: np.ndarray
    first: np.ndarray
    last: np.ndarray
    area: np.ndarray


def blocks_of(lr, block: int = BLOCK) -> Blocks:
    """Join the changes of a schedule: of one sign and within `block` steps."""
    lr = np.asarray(lr, float)
    area, change = np.cumsum(lr), np.diff(lr, prepend=0.0)
    steps = np.flatnonzero(change != 0)
    cut = (
        np.flatnonzero(
            (np.diff(np.sign(change[steps])) != 0) | (np.diff(steps // block) != 0)
        )
        + 1
    )
    starts = np.concatenate([[0], cut])
    total = np.add.reduceat(change[steps], starts)
    rates = np.maximum(lr, LEAST_RATE * lr.max())
    weight = change[steps] / np.repeat(total, np.diff(np.append(starts, steps.size)))
    return Blocks(
        total,
        log_rate=np.add.reduceat(weight * np.log(rates[steps]), starts),
        area_before=np.add.reduceat(weight * (area - lr)[steps], starts),
        first=steps[starts] + 1,
        last=steps[np.append(starts[1:] - 1, steps.size - 1)] + 1,
        area=area,
    )


@dataclass(frozen=True)
class Pairs:
    """Each point with each block that has begun by its step, (pairs,) each; starts: first pair of each
    point, (points,). Every point has a pair, since the rates begin with a change at step 1.
    """

    change: np.ndarray
    log_rate: np.ndarray
    gap: np.ndarray
    starts: np.ndarray


def levels_of(lr) -> tuple[Blocks, ...]:
    """The changes of a schedule in blocks of BLOCK steps, of twice that, and so on while it is longer."""
    n_steps, block = len(lr), BLOCK
    blocks: list[Blocks] = []
    while not blocks or block * DISTANT < n_steps:
        blocks.append(blocks_of(lr, block))
        block *= 2
    return tuple(blocks)


def pairs_of(levels: Sequence[Blocks], steps: np.ndarray) -> Pairs:
    """The pairs of the points at `steps` (points,): near ones with blocks of the first level, then with longer ones."""
    ends, parts = steps.copy(), []
    for level, blocks in enumerate(levels):
        further = BLOCK * 2 ** (level + 1)
        begins = np.zeros(steps.size, int)
        if level + 1 < len(levels):
            begins = np.maximum((steps - DISTANT * further) // further, 0) * further
        parts.append(_level_pairs(blocks, steps, begins=begins, ends=ends))
        ends = begins
    point, change, log_rate, gap = map(np.concatenate, zip(*parts, strict=True))
    order = np.argsort(point, kind="stable")
    return Pairs(
        change=change[order],
        log_rate=log_rate[order],
        gap=gap[order],
        starts=np.searchsorted(point[order], np.arange(steps.size)),
    )


def _level_pairs(blocks: Blocks, steps, *, begins, ends):
    """point, change, log_rate and gap (pairs,) of the blocks that begin at or after `begins` and before `ends`, steps
    from 0 (points,).
    """
    at = blocks.first - 1
    low, high = np.searchsorted(at, begins), np.searchsorted(at, ends)
    counts = high - low
    point = np.repeat(np.arange(steps.size), counts)
    block = np.arange(counts.sum()) - np.repeat(
        np.cumsum(counts) - counts - low, counts
    )
    first, last = blocks.first[block], blocks.last[block]
    # of the block's change that has happened
    share = np.clip((steps[point] - first + 1.0) / (last - first + 1.0), 0.0, 1.0)
    now = blocks.area[steps - 1][point]
    # of the part of a block that has happened
    halfway = 0.5 * (now + blocks.area[first - 1])
    gap = now - np.where(share < 1.0, halfway, blocks.area_before[block])
    change = share * blocks.change[block]
    return point, change, blocks.log_rate[block], np.maximum(gap, 0.0)


def _drop(
    pairs: Pairs, p, n_points: int, *, slopes: bool
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Sum of change * G over the blocks, and its slopes over C, beta and gamma if wanted; each
    (..., points).

    Members are taken by turns, few enough that their pairs stay in the processor's cache (a third of the time).
    """
    shape = np.broadcast_shapes(*(np.shape(p[name]) for name in NAMES))
    if len(shape) != 2 or shape[0] * pairs.gap.size <= CACHED:
        return _drop_of(pairs, p, n_points, slopes=slopes)
    size = max(1, CACHED // pairs.gap.size)
    held = {
        name: np.broadcast_to(p[name], (shape[0], np.shape(p[name])[-1]))
        for name in NAMES
    }
    found = [
        _drop_of(
            pairs,
            {name: part[i : i + size] for name, part in held.items()},
            n_points,
            slopes=slopes,
        )
        for i in range(0, shape[0], size)
    ]
    totals = np.concatenate([total for total, _ in found])
    keys = found[0][1]
    return totals, {
        key: np.concatenate([each[key] for _, each in found]) for key in keys
    }


def _drop_of(
    pairs: Pairs, p, n_points: int, *, slopes: bool
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """`_drop` of all members at once."""

    def spread(name):  # (..., 1), or (..., points) -> (..., pairs)
        own = np.asarray(p[name])
        if own.shape[-1:] == (n_points,) and n_points > 1:
            counts = np.diff(np.append(pairs.starts, pairs.gap.size))
            return np.repeat(own, counts, axis=-1)
        return own

    def summed(part):
        return np.add.reduceat(part, pairs.starts, axis=-1)

    c, beta, gamma = (spread(name) for name in NAMES)
    pull = np.exp(-gamma * pairs.log_rate)
    pull *= pairs.gap
    u = 1.0 + c * pull
    log_u = np.log(u)
    left = np.exp(-beta * log_u)
    left *= pairs.change
    total = summed(pairs.change) - summed(left)
    if not slopes:
        return total, {}
    inner = pull * left
    inner *= beta / u
    by_c = summed(inner)
    inner *= c * pairs.log_rate
    return total, {"C": by_c, "beta": summed(left * log_u), "gamma": -summed(inner)}


def multi_power(schedules: Sequence[np.ndarray] = EXAMPLE) -> Law:
    """The law for rows whose `schedule` is 1 .. len(schedules), each the rate of every step.

    >>> cosine = warmup_stable_decay(3000, 1e-3, warmup=100, decay_steps=2900, end=1e-4)
    >>> constant = warmup_stable_decay(3000, 1e-3, warmup=100)
    >>> law = multi_power([cosine, constant])
    >>> p = {"E": 2.5, "A": 1.0, "alpha": 0.5, "B": 500.0, "C": 2.0, "beta": 0.5, "gamma": 0.5}
    >>> at = {"schedule": np.array([1, 2]), "step": np.array([2999, 2999])}
    >>> decayed, flat = law.value(p, at)
    >>> bool(decayed < flat)
    True
    """
    parts = tuple(levels_of(lr) for lr in schedules)
    peak, whole = (
        max(float(np.max(lr)) for lr in schedules),
        max(float(part[0].area[-1]) for part in parts),
    )

    def steps_of(v):
        steps, number = np.broadcast_arrays(
            np.rint(np.atleast_1d(v["step"])).astype(int),
            np.rint(np.atleast_1d(v["schedule"])).astype(int),
        )
        return steps, number

    @lru_cache(maxsize=2 * len(parts))
    def known_pairs(number: int, steps: bytes) -> Pairs:
        return pairs_of(parts[number - 1], np.frombuffer(steps, int))

    def area(v):
        steps, number = steps_of(v)
        found = np.empty(steps.size)
        for n in np.unique(number):
            own = number == n
            found[own] = parts[n - 1][0].area[steps[own] - 1]
        return found

    def drops(p, v, *, slopes):
        """The sum over blocks and its slopes, each (..., points); every schedule has its own blocks."""
        steps, number = steps_of(v)
        shape = np.broadcast_shapes(*(np.shape(p[name]) for name in NAMES), steps.shape)
        wanted = ("sum", "C", "beta", "gamma") if slopes else ("sum",)
        found = {name: np.empty(shape) for name in wanted}
        for n in np.unique(number):
            rows = number == n
            own = {
                name: (
                    p[name][..., rows]
                    if np.shape(p[name])[-1:] == steps.shape and steps.size > 1
                    else p[name]
                )
                for name in NAMES
            }
            pairs = known_pairs(int(n), steps[rows].tobytes())
            total, by_name = _drop(pairs, own, int(rows.sum()), slopes=slopes)
            for name, part in {"sum": total, **by_name}.items():
                found[name][..., rows] = part
        return found

    def value(p, v):
        return (
            p["E"]
            + p["A"] * np.exp(-p["alpha"] * np.log(area(v)))
            + p["B"] * drops(p, v, slopes=False)["sum"]
        )

    def gradient(p, v):
        log_area, found = np.log(area(v)), drops(p, v, slopes=True)
        per_a = np.exp(-p["alpha"] * log_area)
        by_name = {name: p["B"] * found[name] for name in ("C", "beta", "gamma")}
        return {
            "E": np.ones_like(per_a),
            "A": per_a,
            "alpha": -p["A"] * per_a * log_area,
            "B": found["sum"],
            **by_name,
        }

    return Law(
        name="multi_power",
        title="Loss curve from the learning-rate schedule, with saturating gains",
        formula=(
            "value = E + A / S^alpha + B sum_k (lr_k - lr_{k-1}) (1 - (1 + C"
            " lr_k^-gamma (S - S_{k-1}))^-beta), S the sum of the rates"
        ),
        variables=(SCHEDULE, STEP),
        parameters=(
            floor(),
            amplitude(
                "A", "amplitude over the area", ("alpha", lambda v: 1.0 / area(v))
            ),
            exponent("alpha", "exponent over the area"),
            Parameter(
                "B",
                unit="value / learning rate",
                low=1e-6 / peak,
                high=10.0 / peak,
                start_low=0.01 / peak,
                start_high=0.1 / peak,
                transform="log",
                meaning="gain of decay",
                relative=True,
            ),
            Parameter(
                "C",
                unit="1 / (learning rate^(1 - gamma) steps)",
                low=1e-3 / whole,
                high=1e7 / whole,
                start_low=30.0 / whole,
                start_high=3e4 / whole,
                transform="log",
                meaning="how soon the gain comes",
                term=(("gamma", lambda v: np.full(np.size(v["step"]), 1.0 / peak)),),
            ),
            Parameter(
                "beta",
                unit="1",
                low=0.01,
                high=5.0,
                start_low=0.2,
                start_high=0.9,
                transform="log",
                meaning="exponent of the saturation",
            ),
            Parameter(
                "gamma",
                unit="1",
                low=0.005,
                high=3.0,
                start_low=0.2,
                start_high=1.0,
                transform="log",
                meaning="how much sooner at a smaller rate",
            ),
        ),
        value=value,
        gradient=gradient,
        source=(
            "Luo et al. 2025, A multi-power law for loss curve prediction, arXiv"
            " 2503.12811, as in the authors' repository; blocks of steps ours"
        ),
        arm_parameters=("E", "A"),
        rank=220,
    )


MULTI_POWER = multi_power()
