"""How far each share matters, how large what it moves is, and the noise of a run: the scales of a surface,
by marginal likelihood under weak priors.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MAX_ROWS = 160  # measured: scales from 160 mixtures and from 512 rank the same to .1 of a point
JITTER = 1e-6
LOWEST, HIGHEST = -14.0, 8.0  # of logs of scales
WIDTH = 2.0  # assumed: sd of the priors on the logs of scales
FIRST_NOISE = float(np.log(1e-2))


@dataclass(frozen=True)
class Scales:
    """relevance (domains,), and variances of the smooth remainder, the slopes and the noise, in spreads."""

    relevance: np.ndarray
    size: float
    slope: float
    noise: float


def learn_smooth(
    u: np.ndarray,
    y: np.ndarray,
    *,
    fixed: np.ndarray,
    centre: Scales,
    sloped: bool,
    start: Scales | None,
    max_iterations: int,
) -> Scales:
    """Of a smooth remainder. u (runs, domains), y (runs,); fixed: covariance known before, (runs, runs);
    centre: of the priors; sloped: whether slopes in u have a scale of their own.
    """
    first = _logs(start, sloped) if start else _first(centre, sloped)
    if max_iterations == 0:
        return _scales(first, u.shape[1], sloped)
    part = slice(MAX_ROWS)
    squares = np.stack([np.subtract.outer(c, c).ravel() ** 2 for c in u[part].T])
    found = _least(
        lambda theta: _smooth_posterior(
            theta,
            centre=_logs(centre, sloped),
            u=u[part],
            squares=squares,
            y=y[part],
            fixed=fixed[part, part],
        ),
        first,
        max_iterations,
    )
    return _scales(found, u.shape[1], sloped)


def learn_groups(
    covariances: Sequence[np.ndarray],
    y: np.ndarray,
    *,
    fixed: np.ndarray,
    centre: np.ndarray,
    start: np.ndarray | None,
    max_iterations: int,
) -> np.ndarray:
    """Logs of the variances of some covariances (runs, runs) and of the noise, (groups + 1,)."""
    if start is not None and max_iterations == 0:
        return start
    part = slice(MAX_ROWS)
    parts = [each[part, part] for each in covariances]
    first = np.append(centre[:-1], FIRST_NOISE) if start is None else start
    return _least(
        lambda theta: _group_posterior(
            theta, centre=centre, parts=parts, y=y[part], fixed=fixed[part, part]
        ),
        first,
        max_iterations,
    )


def _least(objective, first: np.ndarray, max_iterations: int) -> np.ndarray:
    from scipy.optimize import minimize  # here: it is slow to import

    return minimize(
        objective,
        np.clip(first, LOWEST, HIGHEST),
        jac=True,
        method="L-BFGS-B",
        bounds=[(LOWEST, HIGHEST)] * first.size,
        options={"maxiter": max_iterations},
    ).x


def _first(centre: Scales, sloped: bool) -> np.ndarray:
    first = _logs(centre, sloped)
    first[centre.relevance.size + 1] = FIRST_NOISE
    if sloped:
        first[-1] = -1.0
    return first


def _logs(scales: Scales, sloped: bool) -> np.ndarray:
    rest = [scales.size, scales.noise, *([scales.slope] if sloped else [])]
    return np.log(np.concatenate([scales.relevance, rest]))


def _scales(theta: np.ndarray, n_domains: int, sloped: bool) -> Scales:
    sizes = np.exp(theta[n_domains:])
    slope = float(sizes[2]) if sloped else 0.0
    return Scales(np.exp(theta[:n_domains]), float(sizes[0]), slope, float(sizes[1]))


def _smooth_posterior(theta, *, centre, u, squares, y, fixed):
    """Negative log posterior and its slope over the logs of (relevance, size, noise, slope)."""
    n, n_domains = u.shape
    relevance = np.exp(theta[:n_domains])
    size, noise = np.exp(theta[n_domains : n_domains + 2])
    bump = size * np.exp(-0.5 * (relevance @ squares)).reshape(n, n)
    sloped = theta.size > n_domains + 2
    slope = np.exp(theta[-1]) if sloped else 0.0
    linear = (u * relevance) @ u.T
    covariance = bump + slope * linear + fixed + (noise + JITTER) * np.eye(n)
    total, slack = _likelihood(covariance, y)
    if slack is None:
        return total, np.zeros_like(theta)
    by_bump = slack * bump
    by_relevance = -0.5 * (squares @ by_bump.ravel())
    if sloped:
        by_relevance += slope * np.sum(u * (slack @ u), axis=0)
    by_size = [by_bump.sum(), noise * np.trace(slack)]
    by_slope = [slope * np.sum(slack * linear)] if sloped else []
    gradient = np.concatenate([relevance * by_relevance, by_size, by_slope])
    return _with_prior(total, gradient, theta, centre)


def _group_posterior(theta, *, centre, parts, y, fixed):
    """Negative log posterior and its slope over the logs of the variances of parts and of the noise."""
    sizes, n = np.exp(theta), y.size
    scaled = [size * part for size, part in zip(sizes[:-1], parts, strict=True)]
    covariance = sum(scaled, fixed + (sizes[-1] + JITTER) * np.eye(n))
    total, slack = _likelihood(covariance, y)
    if slack is None:
        return total, np.zeros_like(theta)
    gradient = [np.sum(slack * part) for part in scaled]
    gradient.append(sizes[-1] * np.trace(slack))
    return _with_prior(total, np.array(gradient), theta, centre)


def _likelihood(covariance, y):
    """Negative log likelihood, and its slope over the covariance, (runs, runs); 1e10 where it has no root."""
    try:
        factor = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        return 1e10, None
    half = np.linalg.solve(factor, np.eye(y.size))
    inverse = half.T @ half
    weights = inverse @ y
    total = 0.5 * y @ weights + np.log(np.diag(factor)).sum()
    return total, 0.5 * (inverse - np.outer(weights, weights))


def _with_prior(total, gradient, theta, centre):
    off = (theta - centre) / WIDTH
    return total + 0.5 * off @ off, gradient + off / WIDTH
