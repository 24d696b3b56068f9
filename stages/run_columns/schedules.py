"""The learning-rate schedules that a table of logged losses holds: columns schedule, step and lr.

Each row is a run's loss at a step with the rate there. Rates between two logged steps lie on a line;
before the first logged step the first rate is taken. Runs with one schedule share it, whatever it is
called; a table without the column `schedule` holds one.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from stages.foundation.errors import InputError
from stages.laws.interface.table import note
from stages.run_columns.positive import positive_numbers
from stages.runs.table import numbers

READ = ("step", "lr")
SAME_RATE = 1e-6  # assumed: rates that differ by a smaller share are one, printed twice
MOST_STEPS = 50_000_000  # ours: a rate a step is held in memory


@dataclass(frozen=True)
class Schedules:
    """rates: of each schedule the learning rate at each step (steps,); labels: what the table calls it."""

    labels: tuple[str, ...]
    rates: tuple[np.ndarray, ...]
    first_logged: tuple[int, ...]

    def numbered(self, table: pl.DataFrame) -> pl.DataFrame:
        """The table with `schedule` as the number of the schedule, 1 the first."""
        number = {label: i + 1 for i, label in enumerate(self.labels)}
        own = [number[label] for label in _labels(table)]
        return table.with_columns(pl.Series("schedule", own, dtype=pl.Float64))

    def notes(self) -> list[dict[str, str]]:
        """A coded note where rates of many steps were not logged and are assumed."""
        late = {
            label: first
            for label, first in zip(self.labels, self.first_logged, strict=True)
            if first > 1
        }
        if not late:
            return []
        said = ", ".join(f"{first} of {label!r}" for label, first in late.items())
        return [
            note(
                "schedule_start",
                "info",
                "the rate before the first logged step is taken as the first logged"
                f" one (step {said}); log a warm-up to have it counted",
            )
        ]


def schedules_of(tables: list[tuple[pl.DataFrame, str]]) -> Schedules:
    """The schedules of tables that are fitted or predicted together, each with what messages call it."""
    points: dict[str, dict[int, float]] = {}
    for table, name in tables:
        _collect(points, table, name)
    labels = tuple(points)
    return Schedules(
        labels,
        rates=tuple(_rates(points[label]) for label in labels),
        first_logged=tuple(min(points[label]) for label in labels),
    )


def _collect(
    points: dict[str, dict[int, float]], table: pl.DataFrame, name: str
) -> None:
    """Add the rate at each logged step of each schedule of one table."""
    if "lr" not in table.columns:
        raise InputError(
            f"{name}: the law reads the learning rate of every run and the table has"
            " no column 'lr' (the rate at the step of the row); map one with --map"
            " lr=COLUMN. Any unit will do, such as 1 at the peak: only the shape counts"
        )
    steps = np.rint(positive_numbers(table, ["step"], name)["step"]).astype(int)
    rates = numbers(table, ["lr"], name)["lr"]
    for row, (label, step, rate) in enumerate(
        zip(_labels(table), steps.tolist(), rates.tolist(), strict=True)
    ):
        if rate < 0 or step > MOST_STEPS:
            raise InputError(
                f"{name}: row {row + 1}: a learning rate of {rate:g} at step {step};"
                f" rates are at least 0 and steps at most {MOST_STEPS:,}"
            )
        known = points.setdefault(label, {}).setdefault(step, rate)
        if abs(known - rate) > SAME_RATE * max(known, rate):
            raise InputError(
                f"{name}: row {row + 1}: schedule {label!r} has the learning rates"
                f" {known:g} and {rate:g} at step {step}; name schedules apart in the"
                " column 'schedule'"
            )


def _rates(points: dict[int, float]) -> np.ndarray:
    """The rate of every step up to the last logged one, (steps,)."""
    steps = np.array(sorted(points))
    logged = np.array([points[step] for step in steps.tolist()])
    return np.interp(np.arange(1, steps[-1] + 1), steps, logged)


def _labels(table: pl.DataFrame) -> list[str]:
    """The schedule of each row as text; `1` for all where no column tells schedules apart."""
    if "schedule" not in table.columns:
        return ["1"] * len(table)
    return [_plain(label) for label in table["schedule"].to_list()]


def _plain(label) -> str:
    whole = isinstance(label, float) and label.is_integer()
    return str(int(label) if whole else label)
