"""Cut the input at the share of it that stays: an exact quantile over everything, in bounded
memory.

Question: at which value does the wanted share begin? Input: VALUE runs, each sorted from the best
value to the worst, with the running sum of its weights (characters, or 1 a document). Output: the
worst value that stays, so that what stays weighs at least the share; documents that tie with it
stay, so no order decides. Then the LOSER records of the rest. A value is compared as 64 bits; the
cut is found by halving, with one bisection a run and bit, and no run is read whole. Cost: 24 bytes
a document on disk; 64 bisections a run.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.curate.searches.drops import left, write_drops
from stages.curate.work.numbering import Units
from stages.curate.work.sorted_runs import VALUE, mapped, sorted_by_first, write_records
from stages.foundation.files import write_json

LAST = np.uint64((1 << 64) - 1)  # a document without a value comes last
SIGN = np.uint64(1 << 63)


def value_records(
    values: np.ndarray, ordinals: np.ndarray, weights: np.ndarray, take: str
) -> np.ndarray:
    """VALUE records, best first; `take` is the better end, NaN the worst of all."""
    # + 0.0: one zero
    wanted = (-values if take == "high" else values).astype(np.float64) + 0.0
    bits = wanted.view(np.uint64)
    records = np.zeros(len(values), dtype=VALUE)
    records["key"] = np.where(
        np.isnan(wanted), LAST, np.where(bits & SIGN, ~bits, bits | SIGN)
    )
    records["ordinal"], records["weight"] = ordinals, weights
    records = sorted_by_first(records)
    records["weight"] = np.cumsum(records["weight"])
    return records


def value_of(key: int, take: str) -> float:
    """The number behind a key."""
    bits = np.uint64(key)
    if bits == LAST:
        return float("nan")
    wanted = float(
        np.array([bits ^ SIGN if bits & SIGN else ~bits], dtype=np.uint64).view(
            np.float64
        )[0]
    )
    return (-wanted if take == "high" else wanted) + 0.0


def last_key(runs: Sequence[Path], share: float) -> int:
    """The smallest key so that records up to it hold `share` of all weight."""
    tables = [table for run in runs if len(table := mapped(run, VALUE))]
    wanted = share * sum(int(table["weight"][-1]) for table in tables)
    low, high = 0, int(LAST)
    while low < high:
        middle = (low + high) // 2
        enough = sum(_weight(table, middle) for table in tables) >= wanted
        low, high = (low, middle) if enough else (middle + 1, high)
    return low


def _weight(table: np.ndarray, key: int) -> int:
    end = bisect_right(table["key"], key)
    return int(table["weight"][end - 1]) if end else 0


def write_cut(
    runs: Sequence[Path], skip: float, keep: float, take: str, target: Path
) -> None:
    """The keys behind which the share begins and with which it ends, and the values that they stand for, as JSON."""
    if not target.exists():
        keys = [
            last_key(runs, skip) if skip else None,
            last_key(runs, min(1.0, skip + keep)),
        ]
        values = [
            (
                None
                if key is None or np.isnan(value_of(key, take))
                else value_of(key, take)
            )
            for key in keys
        ]
        write_json(target, {"keys": keys, "values": values})


@dataclass(frozen=True)
class ValueTask:
    """The values of one unit's documents that are left, weighed by their characters."""

    units: Units
    folder: Path
    column: str
    take: str

    def __call__(self, unit: int) -> int:
        target = self.folder / f"values-{self.column}-{unit:06d}.bin"
        if not target.exists():
            parts = [np.zeros((0, 3))]
            for ordinals, frame in left(
                self.units,
                self.folder,
                low=self.units.starts[unit],
                high=self.units.starts[unit + 1],
                columns=[self.column, "n_chars", "reason"],
            ):
                parts.append(
                    np.stack(
                        [
                            frame[self.column].to_numpy().astype(np.float64),
                            ordinals,
                            frame["n_chars"].to_numpy(),
                        ],
                        axis=1,
                    )
                )
            values, ordinals, weights = np.concatenate(parts).T
            write_records(
                target, value_records(values, ordinals, weights=weights, take=self.take)
            )
        return unit


@dataclass(frozen=True)
class CutTask:
    """Of a run of values, what lies up to the first key or behind the last one goes."""

    folder: Path
    keys: tuple[int | None, int]
    reason: int

    def __call__(self, run: Path) -> str:
        target = self.folder / f"losers-{run.stem}.bin"
        if not target.exists():
            table = mapped(run, VALUE)
            begin, end = (
                0 if key is None else bisect_right(table["key"], key)
                for key in self.keys
            )
            write_drops(
                target, np.delete(table["ordinal"], slice(begin, end)), self.reason
            )
        return run.stem
