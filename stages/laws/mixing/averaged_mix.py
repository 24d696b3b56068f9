"""The mean of the surfaces of each metric, weighted by what each predicts of runs left out, with draws.

A draw is one function of each metric: the same noise of the runs for every surface, and of the
weights half as they are, half on one surface drawn by weight (surfaces scatter further around their
mean than the mean errs; averaged.py). Noise of two metrics goes together as their errors on runs
left out do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from stages.laws.mixing.effective import Effective, fit_effective
from stages.laws.mixing.process import (
    fit_process,
    spent_unknowns,
    with_draws,
)
from stages.laws.mixing.surface import FORMS, Form, Process
from stages.laws.mixing.tangent import Tangent, fit_tangents

FOLDS = 8  # assumed
BETWEEN = 0.5  # as in choosing/averaged.py
LEAST_WEIGHT = 0.03  # ours: a smaller one moves nothing and costs as much
REFITTED = 160  # runs up to which scales are learnt again in each fold
FOLD_ITERATIONS = 12
RIVAL = 2.0  # ours: a surface that errs more than this many times as far is no rival
# chosen on simulated optima (benchmarks/mix_truth.py, seeds below 100)
TEMPER = 0.5  # of the likelihood of runs left out: they were left out eight at a time, not one by one
EVEN = 1.0  # how hard weights of all metrics are pulled to those of that likelihood
ALIKE = 0.5  # and those of one metric to those of all
Progress = Callable[[int, int], None]
Law = Tangent | Effective
LAWS: dict[str, Callable[..., tuple[Law, Sequence[Law]]]] = {
    "exponential": fit_tangents,
    "effective": fit_effective,
}


@dataclass(frozen=True)
class Metric:
    """Surfaces of one metric that count. weights: (surfaces,); draw_weights: (draws, surfaces).

    rmse: of the mean over runs left out; spread: sd of the values; mape and rank over runs left out.
    """

    name: str
    surfaces: tuple[Process, ...]
    weights: np.ndarray
    draw_weights: np.ndarray
    held: np.ndarray = field(repr=False)
    values: np.ndarray = field(repr=False)

    @property
    def rmse(self) -> float:
        """Of the weighted mean on runs left out."""
        return float(np.sqrt(np.mean((self.held - self.values) ** 2)))

    @property
    def noise(self) -> float:
        """sd of one run in the unit of the metric, as learnt."""
        level = float(self.values.mean())
        own = [s.noise * (level if s.form.log else 1.0) for s in self.surfaces]
        return float(self.weights @ own)

    def value(self, shares: np.ndarray) -> np.ndarray:
        """(points,)"""
        return self.weights @ np.stack([s.value(shares) for s in self.surfaces])

    def drawn(self, shares: np.ndarray) -> np.ndarray:
        """(draws, points)"""
        each = [s.value(shares, s.draws) for s in self.surfaces]
        return np.einsum("bk,kbp->bp", self.draw_weights, np.stack(each))

    def value_and_slope(
        self, shares: np.ndarray, draws: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """(points,) and (points, domains) at each point, of the mean or of its own draw, draws (points,)."""
        weights = self.weights[None] if draws is None else self.draw_weights[draws]
        total, slope = np.zeros(len(shares)), np.zeros(shares.shape)
        for k, surface in enumerate(self.surfaces):
            coefs = surface.coefs[None] if draws is None else surface.draws[draws]
            value, by_share = surface.value_and_slope(shares, coefs)
            total += weights[:, k] * value
            slope += weights[:, k, None] * by_share
        return total, slope


def fit_metrics(
    shares: np.ndarray,
    values: np.ndarray,
    names: list[str],
    *,
    n_draws: int,
    seed: int = 0,
    progress: Progress = lambda done, total: None,
    forms: tuple[Form, ...] = FORMS,
) -> list[Metric]:
    """Surfaces of every metric. shares (runs, domains), values (runs, metrics)."""
    rng = np.random.default_rng(seed)
    n_metrics = values.shape[1]
    folds = folds_of(len(values), rng)
    fitted = []
    for j in range(n_metrics):
        fitted.append(_competing(shares, values[:, j], folds, forms))
        progress(j + 1, n_metrics)
    fitted = _weighed(fitted, values)
    errors = np.stack(
        [
            (y - held @ weights)
            for (_, held, weights), y in zip(fitted, values.T, strict=True)
        ]
    )
    normals = _correlated(errors, n_draws, rng)
    found = []
    for j, (surfaces, held, weights) in enumerate(fitted):
        kept = np.flatnonzero(weights >= min(LEAST_WEIGHT, weights.max()))
        own = weights[kept] / weights[kept].sum()
        left = np.array([_left(surfaces[k], shares) for k in kept])
        drawn = tuple(
            with_draws(
                surfaces[k],
                shares,
                values[:, j],
                normals=normals[:, :, j],
                stretch=np.sqrt(left[i] / rng.chisquare(left[i], n_draws)),
                rng=rng,
            )
            for i, k in enumerate(kept)
        )
        member = rng.choice(own.size, size=n_draws, p=own)
        found.append(
            Metric(
                names[j],
                surfaces=drawn,
                weights=own,
                draw_weights=(1 - BETWEEN) * own + BETWEEN * np.eye(own.size)[member],
                held=held[:, kept] @ own,
                values=values[:, j],
            )
        )
    return found


def folds_of(n_runs: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Runs left out by turns, True, (runs,) each."""
    fold = rng.permutation(n_runs) % FOLDS
    return [fold == i for i in range(FOLDS)]


def _left(surface: Process, shares: np.ndarray) -> float:
    """Runs less what the surface spends on them, of which its noise is known, at least 3."""
    return max(len(shares) - spent_unknowns(surface, shares), 3.0)


def _competing(shares, values, folds, forms):
    """(surfaces on all runs, what each says of runs left out (runs, surfaces), weights (surfaces,))."""
    positive = bool((values > 0).all())
    usable = [form for form in forms if positive or not (form.of_law or form.log)]
    kinds = {form.law_kind for form in usable} - {None}
    laws: dict[str | None, tuple[Law | None, Sequence[Law | None]]]
    laws = {kind: LAWS[kind](shares, values, folds) for kind in sorted(kinds)}
    laws[None] = (None, [None] * len(folds))
    surfaces = [
        fit_process(form, shares, values, law=laws[form.law_kind][0]) for form in usable
    ]
    held = np.stack(
        [_left_out(s, shares, values, folds, laws) for s in surfaces], axis=1
    )
    if values.size <= REFITTED:
        rmse = np.sqrt(np.mean((held - values[:, None]) ** 2, axis=0))
        for k in np.flatnonzero(rmse <= RIVAL * rmse.min()):
            held[:, k] = _left_out(
                surfaces[k], shares, values, folds, laws, FOLD_ITERATIONS
            )
    return surfaces, held


def _left_out(
    surface: Process, shares, values, folds, laws, max_iterations: int = 0
) -> np.ndarray:
    """What the surface says of each run from runs outside of its fold, (runs,).

    Its scales are those of all runs, or learnt again in max_iterations steps.
    """
    said = np.empty(values.size)
    for fold, law in zip(folds, laws[surface.form.law_kind][1], strict=True):
        part = fit_process(
            surface.form,
            shares[~fold],
            values[~fold],
            law=law,
            start=surface,
            max_iterations=max_iterations,
        )
        said[fold] = part.value(shares[fold])
    return said


def _weighed(fitted, values):
    """The surfaces with their weights, those of a metric pulled to those of all."""
    offs = [
        scaled_errors(held, y) for (_, held), y in zip(fitted, values.T, strict=True)
    ]
    most = max(off.shape[1] for off in offs)
    whole = [off for off in offs if off.shape[1] == most]
    every = np.vstack(whole)
    pooled = stacked(every, likely(every), EVEN)
    found = []
    for (surfaces, held), off in zip(fitted, offs, strict=True):
        n_own = off.shape[1]
        usual = pooled if n_own == most else likely(off)
        found.append((surfaces, held, stacked(off, usual, ALIKE)))
    return found


def scaled_errors(held: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Errors (runs, surfaces) in units of the surface that errs least."""
    off = held - values[:, None]
    scale = np.sqrt(np.mean(off**2, axis=0).min()) + 1e-300
    return np.clip(off / scale, -1e3, 1e3)


def likely(errors: np.ndarray) -> np.ndarray:
    """Weights (surfaces,) by how likely each makes the runs left out, errors (runs, surfaces), tempered.

    Pseudo-BMA (Yao et al. 2018, section 3.4) with normal errors of the surface's own size: what errs
    a tenth more counts for nothing where runs are many.
    """
    logs = np.log(
        np.mean(errors**2, axis=0) + 1e-12
    )  # errors are in units of the least
    weights = np.exp(-0.5 * TEMPER * len(errors) * (logs - logs.min()))
    return weights / weights.sum()


def stacked(errors: np.ndarray, usual: np.ndarray, pull: float) -> np.ndarray:
    """Weights (surfaces,), none negative, sum 1, of least squared error on runs left out.

    errors: (runs, surfaces); usual: weights to which they are pulled, `pull` times as hard as one unit of error
    in every run.
    """
    from scipy.optimize import nnls  # here: it is slow to import

    n_runs, n_surfaces = errors.shape
    ridge = np.sqrt(pull * n_runs)
    much = 1e4 * np.sqrt(n_runs)
    left = np.vstack(
        [errors, ridge * np.eye(n_surfaces), np.full((1, n_surfaces), much)]
    )
    right = np.concatenate([np.zeros(n_runs), ridge * usual, [much]])
    weights = nnls(left, right)[0]
    return weights / weights.sum()


def _correlated(
    errors: np.ndarray, n_draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Standard normals, (draws, runs, metrics), correlated over metrics as errors (metrics, runs) are."""
    n_metrics, n_runs = errors.shape
    normals = rng.standard_normal((n_draws, n_runs, n_metrics))
    if n_metrics == 1:
        return normals
    spread = np.sqrt(np.mean(errors**2, axis=1, keepdims=True)) + 1e-300
    scaled = errors / spread
    found = scaled @ scaled.T / n_runs
    trust = n_runs / (n_runs + 4.0 * n_metrics)  # assumed: shrunk to independence
    mixed = trust * found + (1 - trust) * np.eye(n_metrics)
    return normals @ np.linalg.cholesky(mixed + 1e-9 * np.eye(n_metrics)).T
