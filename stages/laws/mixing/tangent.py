"""The exponential mixing law of one metric, and the straight lines that touch it at the fit.

    value = E + exp(k + sum_j t_j s_j),   t of the first domain 0 (exponential_mix.py)

Near the fit the law is E + e(s) (1 + dk + sum_j dt_j s_j): linear in the departures, so that the
error of its constants is that of a linear regression (process.py). Slopes have a weak prior,
Normal(0, SLOPE_SD), since a law that is all but straight lets E and k run away together.
"""

from dataclasses import dataclass, field

import numpy as np

from stages.laws.fitting.prior import Squares
from stages.laws.fitting.solver import Problem, minimise
from stages.laws.fitting.starts import draw_starts
from stages.laws.interface.layout import Layout
from stages.laws.mixtures_and_tasks.exponential_mix import exponential_mix

SLOPE_SD = 5.0  # assumed; published slopes lie in -5 .. 2
N_STARTS = 12  # ours
ENDS = 2  # ours: ends of the starts from which the folds go on
LEAST_NOISE = 0.01  # assumed: of the spread of values, where the law goes through all
LEAST_SPREAD = 1e-7  # of a direction in which tangents differ, relative to the first
PRIOR_SD = 10.0  # assumed: how far the constants can move the values, in spreads


@dataclass(frozen=True)
class Tangent:
    """The law at its fit. theta: E, k and t, (domains + 1,); to_basis: (domains + 1, features)."""

    theta: np.ndarray
    to_basis: np.ndarray = field(repr=False)

    @property
    def exponents(self) -> np.ndarray:
        """t, (domains,)."""
        return np.append(0.0, self.theta[2:])

    def value(self, shares: np.ndarray) -> np.ndarray:
        """(points,) at shares (points, domains)."""
        return self.theta[0] + self.term(shares)

    def features(self, shares: np.ndarray) -> np.ndarray:
        """Ways in which the constants can move the value, (points, features)."""
        term = self.term(shares)[:, None]
        by_constant = [np.ones_like(term), term, term * shares[:, 1:]]
        return np.hstack(by_constant) @ self.to_basis

    def slope(self, shares: np.ndarray, coefs: np.ndarray) -> np.ndarray:
        """d (value + coefs . features) / d share, (points, domains); coefs (points, features)."""
        moved = coefs @ self.to_basis.T  # of E, k and t
        factor = 1 + moved[:, 1] + np.sum(moved[:, 2:] * shares[:, 1:], axis=1)
        by_share = factor[:, None] * self.exponents
        by_share[:, 1:] += moved[:, 2:]
        return self.term(shares)[:, None] * by_share

    def term(self, shares: np.ndarray) -> np.ndarray:
        """exp(k + sum_j t_j s_j), (points,)."""
        exponent = self.theta[1] + shares @ self.exponents
        return np.exp(np.clip(exponent, -700.0, 50.0))


def fit_tangents(
    shares: np.ndarray, values: np.ndarray, folds: list[np.ndarray]
) -> tuple[Tangent, list[Tangent]]:
    """The law on all runs, and on those outside of each fold.

    shares (runs, domains); values (runs,), positive; folds: True for the runs left out, (runs,) each.
    """
    problem = _problem(shares, values)
    starts = draw_starts(problem, N_STARTS, seed=0, fixed={})
    starts[0, 2:] = 0.0
    rough = minimise(problem, starts, tolerance=1e-4, max_iterations=30)
    problem = _with_weak_slopes(problem, float(np.nanmin(rough.objective)))
    full = minimise(problem, rough.theta, tolerance=1e-9, max_iterations=80)
    order = np.argsort(np.nan_to_num(full.objective, nan=np.inf))
    ends = full.theta[order[:ENDS]]
    parts = minimise(
        problem,
        np.tile(ends, (len(folds), 1)),
        weights=np.repeat([~fold for fold in folds], len(ends), axis=0).astype(float),
        tolerance=1e-7,
        max_iterations=40,
    )
    objective = np.nan_to_num(parts.objective, nan=np.inf).reshape(len(folds), -1)
    theta = parts.theta.reshape(len(folds), len(ends), -1)
    kept = theta[np.arange(len(folds)), objective.argmin(axis=1)]
    return _tangent(ends[0], shares, values), [
        _tangent(at, shares[~fold], values[~fold])
        for at, fold in zip(kept, folds, strict=True)
    ]


def _problem(shares: np.ndarray, values: np.ndarray) -> Problem:
    names = tuple(f"d{i}" for i in range(shares.shape[1]))
    columns = {f"share_{name}": shares[:, i] for i, name in enumerate(names)}
    layout = Layout.of(exponential_mix(names), columns, float(np.median(values)))
    return Problem(
        layout,
        columns=columns,
        arm_index=np.zeros(values.size, int),
        observed=values,
        objective="least_squares",
    )


def _with_weak_slopes(problem: Problem, objective: float) -> Problem:
    """t_j ~ Normal(0, SLOPE_SD), in the noise of a run as the free fit with that objective has it."""
    values, unknowns = problem.observed, problem.layout.size
    free = 2 * objective / max(values.size - unknowns, 1)
    noise = max(free, (LEAST_NOISE * float(values.std())) ** 2)
    n_slopes = unknowns - 2
    priors = Squares(
        np.eye(unknowns)[2:],
        mean=np.zeros(n_slopes),
        sd=np.full(n_slopes, SLOPE_SD),
        precision=np.full(n_slopes, noise / SLOPE_SD**2),
    )
    return Problem(
        problem.layout,
        columns=problem.columns,
        arm_index=problem.arm_index,
        observed=values,
        objective="least_squares",
        priors=priors,
    )


def _tangent(theta: np.ndarray, shares: np.ndarray, values: np.ndarray) -> Tangent:
    """With features scaled so that each moves the runs by PRIOR_SD of their spread."""
    moved = Tangent(theta, np.eye(theta.size)).features(shares)
    return Tangent(theta, scaled_basis(moved, PRIOR_SD * float(values.std())))


def scaled_basis(moved: np.ndarray, size: float) -> np.ndarray:
    """Ways to move constants, (constants, features), that do not go together and each move runs by `size`.

    moved: by how much each constant moves each run, (runs, constants).
    """
    _, spread, across = np.linalg.svd(moved, full_matrices=False)
    kept = spread > LEAST_SPREAD * spread[0]
    return across[kept].T * size * np.sqrt(len(moved)) / spread[kept]
