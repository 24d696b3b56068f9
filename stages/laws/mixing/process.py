"""Fits of a surface to the runs of one metric, and draws of what the surface may be.

A draw is one function of the posterior by Matheron's rule: a draw before the runs are seen, corrected at the runs.
Cost: of the order runs^3, 5 to 60 ms a fit.
"""

from dataclasses import replace

import numpy as np

from stages.laws.mixing.effective import Effective
from stages.laws.mixing.interacting import ARRIVED, Interacting
from stages.laws.mixing.polynomial import Polynomial, groups, products
from stages.laws.mixing.scales import JITTER, Scales, learn_groups, learn_smooth
from stages.laws.mixing.surface import N_WAVES, Form, Process, bent_shares
from stages.laws.mixing.tangent import Tangent

ROUNDS, FOLD_ROUNDS = 6, 3  # ours
LATER = 8  # ours: steps of the search for scales after the first round
# measured on simulated optima (benchmarks/mix_truth.py, seeds below 100): scales are taken as known
WIDER = 1.15
FREE = 100.0  # variance of slopes that the runs alone settle
RELEVANCE, NOISE = 0.3, float(np.exp(-6.0))  # assumed: centres of the priors


def fit_process(
    form: Form,
    shares: np.ndarray,
    values: np.ndarray,
    *,
    law: Tangent | Effective | None = None,
    start: Process | None = None,
    max_iterations: int = 60,
) -> Process:
    """One metric. shares (runs, domains), values (runs,). law: for forms that lie about one. start: a fit to more
    runs, from whose scales the search goes on; max_iterations 0 keeps them.
    """
    sizes = np.log(values) if form.log else values
    bent = bent_shares(shares, form)
    inputs = (bent.mean(axis=0), bent.std(axis=0) + 1e-9)
    blank = Process(
        form,
        scales=Scales(np.zeros(shares.shape[1]), 0.0, 0.0, 0.0),
        spread=float(sizes.std() + 1e-12),
        mean=law if form.of_law else None,
        level=float(sizes.mean()),
        inputs=inputs,
        known=((bent - inputs[0]) / inputs[1])[: None if form.rough else 0],
    )
    scaled = _with_scales(blank, shares, sizes, start, max_iterations)
    y = (sizes - scaled.centre(shares)) / scaled.spread
    weights = np.linalg.solve(covariance(scaled, shares), y)
    return replace(scaled, coefs=_coefs(scaled, shares, weights))


def _with_scales(blank: Process, shares, sizes, start, max_iterations) -> Process:
    """The surface with its scales learnt."""
    form, u = blank.form, blank.standard(shares)
    y = (sizes - blank.centre(shares)) / blank.spread
    if form.mean == "quadratic":
        return _quadratic(blank, u, y, start, max_iterations)
    if form.mean == "interacting":
        assert isinstance(blank.mean, Tangent)
        return _interacting(blank, shares, sizes, blank.mean, start, max_iterations)
    sloped = form.mean == "slopes"
    if sloped and not form.rough:
        flat = Scales(np.ones(u.shape[1]), 0.0, FREE, 0.0)
        blank = replace(blank, scales=flat)
    fixed = blank.basis(shares, u)
    if not form.rough:
        noise = _least_noise(y, fixed)
        return replace(blank, scales=replace(blank.scales, noise=noise))
    scales = learn_smooth(
        u,
        y,
        fixed=fixed @ fixed.T,
        centre=Scales(np.full(u.shape[1], RELEVANCE), form.size, 1.0, NOISE),
        sloped=sloped,
        start=start.scales if start else None,
        max_iterations=max_iterations,
    )
    return replace(blank, scales=scales)


def _quadratic(blank: Process, u, y, start, max_iterations) -> Process:
    """The surface with a mean of slopes and products, shrunk as far as the runs say."""
    features, group = products(u), groups(u.shape[1])
    parts = [features[:, group == g] for g in range(3)]
    logs = learn_groups(
        [parts[1] @ parts[1].T, parts[2] @ parts[2].T],
        y,
        fixed=parts[0] @ parts[0].T,
        centre=np.array([0.0, -3.0, np.log(NOISE)]),
        start=start.group_logs if start else None,
        max_iterations=max_iterations,
    )
    heights = np.exp(0.5 * np.array([0.0, *logs[:2]]))[group] * blank.spread
    mean = Polynomial(blank.level, *blank.inputs, heights)
    noise = float(np.exp(logs[2]))
    scales = replace(blank.scales, noise=noise)
    return replace(blank, mean=mean, scales=scales, group_logs=logs)


def _interacting(
    blank: Process, shares, sizes, law: Tangent, start, max_iterations
) -> Process:
    """The surface about the law with products in its exponent, shrunk as far as the runs say."""
    known = start.mean if start and isinstance(start.mean, Interacting) else None
    n_domains = shares.shape[1]
    mean = Interacting(
        known.constants if known else law.theta,
        known.bends if known else np.zeros(n_domains * (n_domains + 1) // 2),
        np.zeros((0, 0)),
        *blank.inputs,
        heights=np.zeros(0),
    )
    logs = start.group_logs if start else None
    for turn in range(ROUNDS if start is None else FOLD_ROUNDS):
        mean = mean.on_runs(shares, float(sizes.std()))
        part = mean.products(shares) / blank.spread
        fixed = mean.departures(shares) @ mean.to_basis / blank.spread
        y = (sizes - mean.value(shares)) / blank.spread
        logs = learn_groups(
            [part @ part.T],
            y,
            fixed=fixed @ fixed.T,
            centre=np.array([-5.0, np.log(NOISE)]),
            start=logs,
            max_iterations=min(max_iterations, LATER) if turn else max_iterations,
        )
        heights = np.exp(0.5 * logs[0]) * np.ones(part.shape[1])
        mean = replace(mean, heights=heights)
        noise = float(np.exp(logs[1]))
        found = replace(
            blank,
            mean=mean,
            scales=replace(blank.scales, noise=noise),
            group_logs=logs,
        )
        weights = np.linalg.solve(covariance(found, shares), y)
        mean, most = mean.moved(_coefs(found, shares, weights), shares)
        if most < ARRIVED:
            break
    return found


def covariance(process: Process, shares: np.ndarray) -> np.ndarray:
    """Of the runs, noise included, (runs, runs)."""
    u = process.standard(shares)
    basis = process.basis(shares, u)
    own = basis @ basis.T + (process.scales.noise + JITTER) * np.eye(len(u))
    return own + process.bump(u) if process.form.rough else own


def spent_unknowns(process: Process, shares: np.ndarray) -> float:
    """Effective number of unknowns: by how much the fitted values follow the runs."""
    inverse = np.linalg.inv(covariance(process, shares))
    noise = process.scales.noise + JITTER
    return float(len(shares) - noise * np.trace(inverse))


def _coefs(process: Process, shares: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Of basis and runs, (features,), or (draws, features) for weights (draws, runs)."""
    basis = weights @ process.basis(shares, process.standard(shares))
    return np.concatenate([basis, weights], axis=-1) if process.form.rough else basis


def with_draws(
    process: Process,
    shares: np.ndarray,
    values: np.ndarray,
    *,
    normals: np.ndarray,
    stretch: np.ndarray,
    rng: np.random.Generator,
) -> Process:
    """The surface with draws. normals: noise of each run in sds, (draws, runs); stretch: factor on the
    noise of each draw, since its sd is estimated, (draws,).
    """
    sizes = np.log(values) if process.form.log else values
    y = (sizes - process.centre(shares)) / process.spread
    n_draws, n_fitted = len(normals), process.coefs.size
    drawn = replace(process, waves=_waves(process, rng))
    features = drawn.features(shares)
    before = rng.standard_normal((n_draws, features.shape[1]))
    before[:, n_fitted - len(process.known) : n_fitted] = 0.0
    noise = np.sqrt(process.scales.noise) * stretch[:, None] * normals
    off = y - before @ features.T - noise
    weights = np.linalg.solve(covariance(process, shares), off.T).T
    draws = before
    draws[:, :n_fitted] += _coefs(process, shares, weights)
    padding = np.zeros(draws.shape[1] - n_fitted)
    coefs = np.append(process.coefs, padding)
    return replace(drawn, coefs=coefs, draws=coefs + WIDER * (draws - coefs))


def _waves(process: Process, rng: np.random.Generator):
    """Frequencies (domains, waves) and phases of draws of r."""
    if not process.form.rough:
        return None
    reach = np.sqrt(process.scales.relevance)[:, None]
    frequencies = reach * rng.standard_normal((reach.size, N_WAVES))
    return frequencies, 2 * np.pi * rng.random(N_WAVES)


def _least_noise(y: np.ndarray, basis: np.ndarray) -> float:
    """Variance about the law, for the unknowns that it has."""
    fitted = np.linalg.lstsq(basis, y, rcond=None)[0]
    left = max(y.size - basis.shape[1], 1)
    return max(float(np.sum((y - basis @ fitted) ** 2)) / left, 1e-10)
