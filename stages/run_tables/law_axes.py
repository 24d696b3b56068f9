"""Which axes a law is drawn on: the main variable, one curve for each level of a second one, points on their curves.

Input: a fit and runs tables as columns (runs,). Output: arrays to draw; nothing here knows matplotlib. Works for
every law, because the axes come from its own variables: training compute where a law knows size and tokens, else the
variable that spans most. Cost: a few evaluations of the law.
"""

from dataclasses import dataclass, replace

import numpy as np

from stages.laws.fitting.fit import Fit
from stages.laws.interface.cost import SIX, Cost
from stages.laws.interface.law import Law, Variable
from stages.presentation.si import si

MAX_LEVELS = 6  # assumed: more curves cannot be told apart by colour
N_GRID = 80
COMPUTE = Variable("flops", "FLOPs", "training compute, 6ND")
# what readers expect to find on the abscissa
FIRST = ("flops", "n_tokens_seen", "step", "n_samples", "n_params")
SPOKEN = {
    "n_params": "model size",
    "n_tokens_seen": "training tokens",
    "n_tokens_unique": "different tokens",
}
SECOND_MATTERS = 1e-3  # assumed: a variable that moves the value by less than 0.1 % gets no curves of its own
Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Level:
    """One curve. columns: the law's variables of the run that stands for it; mask (runs,): the runs drawn with it."""

    label: str
    columns: dict[str, float]
    mask: np.ndarray


@dataclass(frozen=True)
class Axes:
    """x: the variable of the abscissa; by: the variable that tells the curves apart, or None; x_of
    gives a run's place. cost: of the fitted table, from sizes and tokens to compute.
    """

    law: Law
    x: Variable
    by: Variable | None
    log: bool
    cost: Cost = SIX

    @property
    def compute_of_tokens(self) -> bool:
        """True where compute is drawn and the law reads tokens: compute is moved by D."""
        return self.x is COMPUTE

    def x_of(self, columns: Columns) -> np.ndarray:
        """Place of each run on the abscissa, (runs,)."""
        return (
            self.cost.flops(columns["n_params"], columns["n_tokens_seen"])
            if self.compute_of_tokens
            else columns[self.x.name]
        )

    def rows_at(self, x: np.ndarray, fixed: dict[str, float]) -> Columns:
        """The law's variables at places x (points,), all others as in `fixed`; shares go on adding up to 1."""
        rows = {
            name: np.full(x.shape, float(fixed[name]))
            for name in self.law.variable_names
        }
        if self.compute_of_tokens:
            return rows | {"n_tokens_seen": self.cost.tokens(x, fixed["n_params"])}
        others = (
            [n for n in rows if n.startswith("share_") and n != self.x.name]
            if self.x.name.startswith("share_")
            else []
        )
        left = sum(fixed[n] for n in others)
        rows |= {
            n: (1 - x) * (fixed[n] / left if left > 0 else 1 / len(others))
            for n in others
        }
        return rows | {self.x.name: x}


def axes_of(fit: Fit, columns: Columns) -> Axes:
    """The axes for a fit: see the module header. columns: the fitted runs."""
    law = fit.law
    x = main_variable(law, columns)
    others = [
        v
        for v in law.variables
        if v.name != x.name and not (x is COMPUTE and v.name == "n_tokens_seen")
    ]
    if x.name.startswith("share_"):
        others = [v for v in others if not v.name.startswith("share_")]
    axes = Axes(law, x=x, by=None, log=not x.may_be_zero, cost=fit.cost)
    sway = {v.name: _sway(fit, columns, v.name) for v in others}
    by = max(
        others,
        key=lambda v: (x is COMPUTE and v.name == "n_params", sway[v.name]),
        default=None,
    )
    return (
        axes if by is None or sway[by.name] < SECOND_MATTERS else replace(axes, by=by)
    )


def main_variable(law: Law, columns: Columns) -> Variable:
    """Compute where the law knows size and tokens, else the expected variable, else the one that spans most decades."""
    by_name = {v.name: v for v in law.variables}
    if "flops" not in by_name and {"n_params", "n_tokens_seen"} <= set(by_name):
        return COMPUTE
    spread = {
        n: float(np.ptp(np.log(np.maximum(columns[n], 1e-300))))
        for n, v in by_name.items()
        if not v.may_be_zero
    }
    found = [n for n in FIRST if spread.get(n, 0) > 0.1] or sorted(
        spread, key=lambda n: -spread[n]
    )
    return (
        by_name[found[0]]
        if found
        else max(law.variables, key=lambda v: float(np.ptp(columns[v.name])))
    )


def levels(axes: Axes, columns: Columns) -> list[Level]:
    """At most MAX_LEVELS curves, in growing order of `by`, each standing at the run nearest to the
    middle of its group.
    """
    size = axes.x_of(columns).size
    groups = (
        [np.ones(size, bool)] if axes.by is None else _groups(columns[axes.by.name])
    )
    return [
        Level(
            "" if axes.by is None else si(columns[axes.by.name][at]),
            {n: float(c[at]) for n, c in columns.items()},
            mask,
        )
        for mask in groups
        for at in (_middle(axes, columns, mask),)
    ]


def on_curve(
    fit: Fit, axes: Axes, level: Level, columns: Columns, arm: str | None
) -> tuple[np.ndarray, np.ndarray, float]:
    """Places x (runs,) and values moved along the law from each run's own variables to those of its
    curve, and the largest such move, relative. The ratio of measured to predicted stays: this is
    what makes many variables one picture.
    """
    x = axes.x_of(columns)
    own, there = (
        fit.predict(columns, arm),
        fit.predict(axes.rows_at(x, level.columns), arm),
    )
    moved = there / own
    return x, columns["value"] * moved, float(np.max(np.abs(moved - 1), initial=0.0))


def grid(x: np.ndarray, log: bool) -> np.ndarray:
    """Places between the ends of x, (N_GRID,)."""
    low, high = float(x.min()), float(x.max())
    if low == high:
        low, high = (low / 1.2, high * 1.2) if log else (low - 0.05, high + 0.05)
    return np.geomspace(low, high, N_GRID) if log else np.linspace(low, high, N_GRID)


def axis_label(variable: Variable, cost: Cost = SIX) -> str:
    """`training compute, 6ND (FLOPs)`, `tokens seen (tokens)` as a reader would write it."""
    if variable.name == "flops":
        sixfold = variable is COMPUTE and not cost.notes()
        return f"training compute{', 6ND' if sixfold else ''} (FLOPs)"
    plain = SPOKEN.get(variable.name) or variable.name.removeprefix("n_").replace(
        "_", " "
    )
    return (
        plain
        if variable.unit in ("1", *plain.split())
        else f"{plain} ({variable.unit})"
    )


def _sway(fit: Fit, columns: Columns, name: str) -> float:
    """Spread of the log value when this variable alone moves over the table, the others at the middle run."""
    n = columns[name].size
    middle = int(np.argsort(columns["value"])[n // 2])
    rows = {v: np.full(n, columns[v][middle]) for v in fit.law.variable_names} | {
        name: columns[name]
    }
    value = fit.predict(rows, fit.arms[0] if fit.by_arm else None)
    return float(np.std(np.log(np.maximum(value, 1e-300))))


def _groups(values: np.ndarray) -> list[np.ndarray]:
    """Masks (runs,) of the levels of a variable: its own where they are few, else groups of
    neighbours with as many runs each.
    """
    rounded = np.round(np.log(np.maximum(values, 1e-300)), 2)
    own = np.unique(rounded)
    parts = (
        [own[i : i + 1] for i in range(own.size)]
        if own.size <= MAX_LEVELS
        else _even_parts(rounded)
    )
    return [np.isin(rounded, part) for part in parts if part.size]


def _even_parts(rounded: np.ndarray) -> list[np.ndarray]:
    """Distinct levels in MAX_LEVELS stretches that span as many decades each."""
    edges = np.linspace(rounded.min(), rounded.max(), MAX_LEVELS + 1)[1:-1]
    own = np.unique(rounded)
    return [
        own[np.searchsorted(edges, own, side="right") == i] for i in range(MAX_LEVELS)
    ]


def _middle(axes: Axes, columns: Columns, mask: np.ndarray) -> int:
    """The run of the group nearest to the group's medians of all variables, in logs."""
    at = np.flatnonzero(mask)
    distance = np.zeros(at.size)
    for name in axes.law.variable_names:
        if name != axes.x.name:
            log = np.log(np.maximum(columns[name][at], 1e-12))
            distance += (
                np.abs(log - np.median(log))
                / max(float(np.std(np.log(np.maximum(columns[name], 1e-12)))), 1e-12)
                * (1.0 if axes.by is None or name != axes.by.name else 3.0)
            )
    return int(at[distance.argmin()])
