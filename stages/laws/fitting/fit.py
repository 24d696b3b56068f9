"""Fit one law to a runs table, for one data set or for several arms that share some parameters.

Every start counts: all are run at once, the best of them all is kept, and the number that failed and the
number that reached the same basin are reported. Cost: 1,000 starts of chinchilla on 217 points, under 2 s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from stages.foundation.errors import InputError
from stages.laws.fitting.identify import SPAN, likelihood_power, profile
from stages.laws.fitting.misfit import misfit_notes
from stages.laws.fitting.prior import Prior, squares
from stages.laws.fitting.solver import OBJECTIVES, Problem, minimise
from stages.laws.fitting.starts import (
    best_of_ends,
    coarse_ends,
    draw_starts,
    noise_delta,
)
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
        names, position = (
            ([str(arm)], np.zeros(n, int))
            if arm is not None
            else np.unique(
                table.arm_names(rows, self.arm_column, n), return_inverse=True
            )
        )
        unknown = [name for name in names if name not in self.arms]
        if unknown:
            raise InputError(
                f"the fit has no arm '{unknown[0]}'; it has: {', '.join(self.arms)}"
            )
        return np.array([self.arms.index(name) for name in names])[position]


@dataclass(frozen=True)
class Start:
    """Where fits of a law to a table begin: the coarse ends of all starts, best first, (ends, slots).

    Variants of a law (priors, weights) share it, so that the starts are paid for once.
    """

    problem: Problem
    coarse: np.ndarray
    frozen: np.ndarray
    n_starts: int
    n_usable: int
    notes: list[dict[str, str]]
    cost: Cost = SIX


def start_law(
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
) -> Start:
    """The checked problem and the coarse ends of its starts; arguments as in fit_law."""
    problem, notes = build_problem(
        law,
        rows,
        by_arm=tuple(by_arm),
        arm_column=arm_column,
        objective=objective,
        delta=1e-3 if delta is None else delta,
        fixed=fixed or {},
    )
    frozen = np.array(
        [name in (fixed or {}) for name, _ in problem.layout.slot_names()]
    )
    if problem.observed.size < (~frozen).sum():
        raise InputError(
            f"law '{law.name}' has {int((~frozen).sum())} unknowns here but the table"
            f" has {problem.observed.size} usable runs; add runs, share more parameters"
            " over arms or take a smaller law"
        )
    _check_arms(problem)
    starts = draw_starts(problem, n_starts, seed=seed, fixed=fixed or {})
    coarse, n_usable = coarse_ends(problem, starts, frozen)
    if delta is None:
        problem = problem.with_objective(objective, noise_delta(problem, coarse[0]))
    return Start(
        problem,
        coarse=coarse,
        frozen=frozen,
        n_starts=len(starts),
        n_usable=n_usable,
        notes=notes,
        cost=Cost.of(rows),
    )


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
    theta, best = found.theta, found.objective
    counts = {
        "run": start.n_starts,
        "failed": start.n_starts - start.n_usable,
        "same_basin": found.same_basin,
    }
    identified = np.full(theta.size, True)
    if identify:
        theta, best, spans = _profiled(problem, theta, best=best, frozen=frozen)
        identified = spans < SPAN
    fit = _report(
        problem,
        theta,
        best=best,
        frozen=frozen,
        counts=counts,
        runner_up=found.runner_up,
        identified=identified,
        notes=start.notes,
        arm_column=arm_column,
        profiled=identify,
    )
    return replace(fit, ends=found.ends, cost=start.cost)


def _with_priors(problem, priors, coarse, frozen):
    """The problem with its priors scaled to the noise of the fit without them, and the coarse ends
    refitted under both.
    """
    free = minimise(
        problem, coarse[:1], frozen=frozen, tolerance=1e-4, max_iterations=40
    )
    unit = 2 * float(free.objective[0]) / likelihood_power(problem, free.theta[0])
    problem = replace(problem, priors=squares(priors, problem.layout, unit))
    return (
        problem,
        minimise(
            problem, coarse, frozen=frozen, tolerance=1e-4, max_iterations=40
        ).theta,
    )


def build_problem(law, rows, by_arm, arm_column, objective, delta, fixed):
    """The checked data side of the fit and the warnings about the design."""
    if objective not in OBJECTIVES:
        raise InputError(
            f"no objective is called '{objective}'; there are: {', '.join(OBJECTIVES)}"
        )
    for purpose, names in (("fix", fixed), ("separate by arm", by_arm)):
        unknown = [name for name in names if name not in law.parameter_names]
        if unknown:
            raise InputError(
                f"law '{law.name}' has no parameter '{unknown[0]}' to {purpose}; it"
                f" has: {', '.join(law.parameter_names)}"
            )
    n = table.n_rows(
        {k: v for k, v in rows.items() if k in (*law.variable_names, "value")}
    )
    observed = table.number_column(rows, "value", n)
    columns = {
        name: np.broadcast_to(column, (n,))
        for name, column in table.variables(law, rows).items()
    }
    notes = table.design_notes(law, columns)
    arms: tuple[str, ...] = ()
    index = np.zeros(n, int)
    if by_arm:
        names, index = np.unique(
            table.arm_names(rows, arm_column, n), return_inverse=True
        )
        arms = tuple(str(arm) for arm in names)
    layout = Layout.of(
        law, columns, float(np.median(observed)), arms, by_arm, tuple(fixed)
    )
    return Problem(
        layout,
        columns=columns,
        arm_index=index,
        observed=observed,
        objective=objective,
        delta=delta,
    ), notes


def _check_arms(problem: Problem) -> None:
    """Each arm must have at least as many runs as parameters of its own."""
    runs = np.bincount(problem.arm_index, minlength=len(problem.layout.arms))
    short = int(runs.argmin())
    if runs[short] < len(problem.layout.by_arm):
        raise InputError(
            f"arm '{problem.layout.arms[short]}' has {runs[short]} runs for"
            f" {len(problem.layout.by_arm)} parameters of its own"
            f" ({', '.join(problem.layout.by_arm)}); add runs or share more parameters"
            " over arms"
        )


def _profiled(problem, theta, best, frozen):
    """Profile; if it stumbles on a lower objective the fit goes on from there, at most three times."""
    for _ in range(3):
        found = profile(problem, theta, objective=best, frozen=frozen)
        if found.best_objective >= best * (1 - 1e-9):
            break
        final = minimise(
            problem,
            found.best_theta[None],
            frozen=frozen,
            tolerance=1e-13,
            max_iterations=300,
        )
        theta, best = final.theta[0], float(final.objective[0])
    return theta, best, found.span


def _report(
    problem,
    theta,
    best,
    frozen,
    counts,
    runner_up,
    identified,
    notes,
    arm_column,
    profiled,
) -> Fit:
    """Everything a reader needs to judge the fit, by name instead of by slot."""
    layout = problem.layout
    residuals = problem.with_objective("least_squares_log").residuals(
        problem.values(theta[None]), problem.observed
    )[0]
    low, high = layout.range("low", "high")
    pressed = ((theta - low) < 1e-6 * layout.typical()) | (
        (high - theta) < 1e-6 * layout.typical()
    )
    pressed &= ~frozen
    identified = (identified & ~pressed) | frozen
    params = dict(layout.to_params(theta).items())
    notes = notes + _notes(
        layout,
        counts,
        pressed=pressed,
        identified=identified,
        freedom=problem.observed.size - int((~frozen).sum()),
    )
    notes += misfit_notes(problem.columns, residuals)
    return Fit(
        law=layout.law,
        arms=layout.arms if layout.by_arm else (),
        by_arm=layout.by_arm,
        arm_column=arm_column,
        params=_named(
            layout,
            np.concatenate(
                [
                    np.broadcast_to(params[n], layout.width(n))
                    for n in layout.law.parameter_names
                ]
            ),
            float,
        ),
        objective=best,
        n_points=problem.observed.size,
        starts=counts,
        runner_up=runner_up,
        rms_log=float(np.sqrt(np.mean(residuals**2))),
        condition_number=_condition(problem, theta, frozen),
        at_bound=_named(layout, pressed, bool),
        identified=_named(layout, identified, bool),
        warnings=notes,
        theta=theta,
        frozen=frozen,
        problem=problem,
    )


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


def _condition(problem, theta, frozen) -> float:
    """Condition number of the curvature at the optimum, each unknown scaled to unit curvature."""
    with np.errstate(all="ignore"):
        weights = np.ones(1) if problem.weights is None else problem.weights
        means = None if problem.priors is None else problem.priors.mean[None]
        curvature = problem.normal_equations(
            theta[None], weights[None], problem.observed[None], means
        )[2][0]
    curvature = curvature[np.ix_(~frozen, ~frozen)]
    scale = np.sqrt(np.maximum(np.diag(curvature), 1e-300))
    return (
        float(np.linalg.cond(curvature / np.outer(scale, scale)))
        if curvature.size
        else 1.0
    )


def _notes(layout, counts, pressed, identified, freedom):
    """Coded warnings about the fit itself."""
    notes, names = (
        [],
        [
            name if arm is None else f"{name}[{arm}]"
            for name, arm in layout.slot_names()
        ],
    )
    at_bound = [name for name, flag in zip(names, pressed, strict=True) if flag]
    loose = [name for name, flag in zip(names, identified, strict=True) if not flag]
    if counts["same_basin"] < max(2, 0.01 * counts["run"]):
        notes.append(
            table.note(
                "few_starts_agree",
                "warning",
                f"only {counts['same_basin']} of {counts['run']} starts reached the"
                " best basin; run more starts before trusting parameters",
            )
        )
    if at_bound:
        notes.append(
            table.note("at_bound", "warning", f"at a bound: {', '.join(at_bound)}")
        )
    if loose:
        notes.append(
            table.note(
                "not_identified",
                "warning",
                f"the data allow a decade or more for: {', '.join(loose)}; "
                "quote predictions, not these parameters",
            )
        )
    if freedom < 3:
        notes.append(
            table.note(
                "few_points",
                "warning",
                f"only {freedom} more runs than unknowns: the fit can hide any error",
            )
        )
    return notes
