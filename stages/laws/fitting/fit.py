"""Fit one law to a runs table, for one data set or for several arms that share some parameters.

Every start counts: all are run at once, the best of them all is kept, and the number that failed and the
number that reached the same basin are reported. Cost: 1,000 starts of chinchilla on 217 points, under 2 s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from stages.foundation.errors import InputError
from stages.laws.fitting.identify import (
    SPAN,
    condition_number,
    likelihood_power,
    profiled,
)
from stages.laws.fitting.misfit import misfit_notes
from stages.laws.fitting.posed import Start, start_law
from stages.laws.fitting.prior import Prior, squares
from stages.laws.fitting.solver import Problem, minimise
from stages.laws.fitting.starts import Found, best_of_ends
from stages.laws.interface import table
from stages.laws.interface.cost import SIX, Cost
from stages.laws.interface.law import Law
from stages.laws.interface.layout import Layout


@dataclass(frozen=True)
class Fit:
    """A fitted law. `params`, `at_bound` and `identified` map a name to one value, or to {arm: value}.

    cost: what a run of its table costs, from a budget to tokens.
    ends: the best distinct ends of the starts, best first, (ends, slots): where refits to part of the
    runs begin.
    """

    law: Law
    arms: tuple[str, ...]
    by_arm: tuple[str, ...]
    arm_column: str
    params: dict
    objective: float
    n_points: int
    starts: dict[str, int]
    runner_up: float | None
    rms_log: float
    condition_number: float
    at_bound: dict
    identified: dict
    warnings: list[dict[str, str]]
    theta: np.ndarray = field(repr=False)
    frozen: np.ndarray = field(repr=False)
    problem: Problem = field(repr=False)
    cost: Cost = SIX
    ends: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)), repr=False)

    @property
    def n_free(self) -> int:
        """Number of unknowns that were fitted."""
        return int((~self.frozen).sum())

    def predict(self, rows: table.Rows, arm: str | None = None) -> np.ndarray:
        """Values at each row, (rows,). `arm` serves all rows; without it rows[arm_column] is read."""
        return self.values(self.theta[None], rows, arm)[0]

    def central(self, rows: table.Rows, arm: str | None = None) -> np.ndarray:
        """The same, under the name that a mixture of laws has for its point value."""
        return self.predict(rows, arm)

    def values(
        self, theta: np.ndarray, rows: table.Rows, arm: str | None = None
    ) -> np.ndarray:
        """Values for several parameter vectors, (members, slots) -> (members, rows)."""
        columns = table.variables(self.law, rows)
        n = next(iter(columns.values())).size
        index = self.arm_index(rows, arm, n)
        return Problem(
            self.problem.layout, columns=columns, arm_index=index, observed=np.ones(n)
        ).values(theta)

    def arm_index(self, rows: table.Rows, arm: str | None, n: int) -> np.ndarray:
        """Position of each row's arm in `arms`, (n,)."""
        if not self.by_arm:
            return np.zeros(n, int)
        if arm is not None:
            names, position = np.array([str(arm)]), np.zeros(n, int)
        else:
            every = table.arm_names(rows, self.arm_column, n)
            names, position = np.unique(every, return_inverse=True)
        unknown = [name for name in names if name not in self.arms]
        if unknown:
            raise InputError(
                f"the fit has no arm '{unknown[0]}'; it has: {', '.join(self.arms)}"
            )
        return np.array([self.arms.index(name) for name in names])[position]


def fit_law(
    law: Law,
    rows: table.Rows,
    *,
    by_arm: Sequence[str] = (),
    arm_column: str = "arm",
    objective: str = "huber_log",
    delta: float | None = 1e-3,
    n_starts: int = 256,
    seed: int = 0,
    fixed: Mapping[str, float] | None = None,
    priors: Sequence[Prior] = (),
    weights: np.ndarray | None = None,
    identify: bool = True,
) -> Fit:
    """Fit `law` to the column 'value' of `rows` (column name -> array, one entry a run).

    by_arm: parameters that are separate for each value of rows[arm_column]; the others are shared.
    objective: 'huber_log' (delta in log value), 'least_squares_log' or 'least_squares'. delta=None
    takes 1.345 times the robust noise of the table (95 % efficient under normal noise; the
    intervals are 20 % narrower than at .001, measured), the default is the .001 of the Chinchilla
    line of papers. fixed: parameters that keep a given value. priors: what is known of exponents
    and scales (prior.py). weights: how much each run counts, (runs,), scaled to mean 1. Ranges:
    bounded(law, ...) of exponent_range.py. identify=False skips the profile (10 to 50 ms).

    >>> from stages.laws import get_law
    >>> rows = table.example_runs()
    >>> fit = fit_law(get_law("chinchilla"), rows, by_arm=("E", "B"))
    >>> round(fit.params["E"]["strict"] - fit.params["E"]["loose"], 2)
    0.1
    >>> larger = {"n_params": 1e10, "n_tokens_seen": 2e11}
    >>> bool(fit.predict(larger, arm="strict") > fit.predict(larger, arm="loose"))
    True
    """
    start = start_law(
        law,
        rows,
        by_arm=by_arm,
        arm_column=arm_column,
        objective=objective,
        delta=delta,
        n_starts=n_starts,
        seed=seed,
        fixed=fixed,
    )
    return finish(
        start,
        priors=priors,
        weights=weights,
        arm_column=arm_column,
        identify=identify,
    )


def finish(
    start: Start,
    *,
    priors: Sequence[Prior] = (),
    weights: np.ndarray | None = None,
    arm_column: str = "arm",
    identify: bool = True,
    n_ends: int | None = None,
) -> Fit:
    """The fit from where a start left off. n_ends: coarse ends that are followed; None for all."""
    problem, frozen, coarse = start.problem, start.frozen, start.coarse[:n_ends]
    problem = replace(problem, weights=table.weights(weights, problem.observed.size))
    if priors:
        problem, coarse = _with_priors(problem, priors, coarse=coarse, frozen=frozen)
    found = best_of_ends(problem, coarse, frozen)
    theta, objective = found.theta, found.objective
    identified = np.full(theta.size, True)
    if identify:
        theta, objective, spans = profiled(problem, theta, objective, frozen)
        identified = spans < SPAN
    return _report(
        start,
        replace(found, theta=theta, objective=objective),
        problem=problem,
        identified=identified,
        arm_column=arm_column,
    )


def _with_priors(problem, priors, coarse, frozen):
    """The problem with its priors scaled to the noise of the fit without them, and the coarse ends
    refitted under both.
    """
    free = minimise(
        problem, coarse[:1], frozen=frozen, tolerance=1e-4, max_iterations=40
    )
    unit = 2 * float(free.objective[0]) / likelihood_power(problem, free.theta[0])
    problem = replace(problem, priors=squares(priors, problem.layout, unit))
    again = minimise(problem, coarse, frozen=frozen, tolerance=1e-4, max_iterations=40)
    return problem, again.theta


def _report(
    start: Start,
    found: Found,
    *,
    problem: Problem,
    identified: np.ndarray,
    arm_column: str,
) -> Fit:
    """Everything a reader needs to judge the fit, by name instead of by slot. identified: (slots,)."""
    layout, theta, frozen = problem.layout, found.theta, start.frozen
    low, high = layout.range("low", "high")
    pressed = np.minimum(theta - low, high - theta) < 1e-6 * layout.typical()
    pressed &= ~frozen
    identified = (identified & ~pressed) | frozen
    counts = {
        "run": start.n_starts,
        "failed": start.n_starts - start.n_usable,
        "same_basin": found.same_basin,
    }
    residuals = problem.with_objective("least_squares_log").residuals(
        problem.values(theta[None]), problem.observed
    )[0]
    notes = _notes(
        layout,
        counts,
        pressed=pressed,
        identified=identified,
        freedom=problem.observed.size - int((~frozen).sum()),
    )
    return Fit(
        law=layout.law,
        arms=layout.arms if layout.by_arm else (),
        by_arm=layout.by_arm,
        arm_column=arm_column,
        params=_named(layout, _in_units(layout, theta), float),
        objective=found.objective,
        n_points=problem.observed.size,
        starts=counts,
        runner_up=found.runner_up,
        rms_log=float(np.sqrt(np.mean(residuals**2))),
        condition_number=condition_number(problem, theta, frozen),
        at_bound=_named(layout, pressed, bool),
        identified=_named(layout, identified, bool),
        warnings=[*start.notes, *notes, *misfit_notes(problem.columns, residuals)],
        theta=theta,
        frozen=frozen,
        problem=problem,
        cost=start.cost,
        ends=found.ends,
    )


def _in_units(layout: Layout, theta: np.ndarray) -> np.ndarray:
    """The values of the parameters in the units of the law, (slots,)."""
    params = layout.to_params(theta)
    names = layout.law.parameter_names
    return np.concatenate([np.broadcast_to(params[n], layout.width(n)) for n in names])


def _named(layout: Layout, by_slot: np.ndarray, kind: type) -> dict:
    """Slots -> {name: value} or {name: {arm: value}}."""
    return {
        name: (
            dict(zip(layout.arms, map(kind, by_slot[slot]), strict=True))
            if name in layout.by_arm
            else kind(by_slot[slot][0])
        )
        for name, slot in layout.slots.items()
    }


def _notes(
    layout: Layout,
    counts: dict[str, int],
    pressed: np.ndarray,
    identified: np.ndarray,
    freedom: int,
) -> list[dict[str, str]]:
    """Coded warnings about the fit itself. pressed, identified: (slots,)."""
    names = [
        name if arm is None else f"{name}[{arm}]" for name, arm in layout.slot_names()
    ]
    at_bound = [name for name, flag in zip(names, pressed, strict=True) if flag]
    loose = [name for name, flag in zip(names, identified, strict=True) if not flag]
    found = {}
    if counts["same_basin"] < max(2, 0.01 * counts["run"]):
        found["few_starts_agree"] = (
            f"only {counts['same_basin']} of {counts['run']} starts reached the"
            " best basin; run more starts before trusting parameters"
        )
    if at_bound:
        found["at_bound"] = f"at a bound: {', '.join(at_bound)}"
    if loose:
        found["not_identified"] = (
            f"the data allow a decade or more for: {', '.join(loose)}; "
            "quote predictions, not these parameters"
        )
    if freedom < 3:
        found["few_points"] = (
            f"only {freedom} more runs than unknowns: the fit can hide any error"
        )
    return [table.note(code, "warning", text) for code, text in found.items()]
