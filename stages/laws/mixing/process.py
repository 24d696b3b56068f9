"""One smooth surface of one metric over mixtures, with draws of what it may be.

    g(value) = mean(s) + sum_q c_q b_q(s) + r(s) + noise,   c ~ Normal(0, 1)
    cov(r, r') = size * exp(-sum_j a_j (u_j - u'_j)^2 / 2)

The mean is the exponential law with its tangents (tangent.py), slopes and products (polynomial.py),
or slopes in u; u is the share or its fourth root (smooth_mix.py), g the value or its log. A draw is
one function of the posterior by Matheron's rule (a draw before the runs are seen, corrected at the
runs), so that it can be asked anywhere. Cost: of the order runs^3, 5 to 60 ms a fit.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from stages.laws.mixing.polynomial import Interacting, Polynomial, groups, products
from stages.laws.mixing.scales import JITTER, Scales, learn_groups, learn_smooth
from stages.laws.mixing.tangent import Tangent

ROOT_OFFSET = 1e-3  # as in smooth_mix.py
N_WAVES = 200  # ours: random Fourier features of a draw of r
Mean = Tangent | Polynomial | Interacting


@dataclass(frozen=True)
class Form:
    """What kind of surface. mean: law, interacting, quadratic or slopes; root: fourth roots of shares; log: of values;
    rough: with r, whose size before the runs are seen is `size`.
    """

    name: str
    mean: str = "slopes"
    root: bool = False
    log: bool = False
    rough: bool = True
    size: float = 1.0

    @property
    def of_law(self) -> bool:
        """Whether it lies about the exponential law."""
        return self.mean in ("law", "interacting")


FORMS = (
    Form("exponential", mean="law", rough=False),
    Form("exponential+smooth", mean="law", size=float(np.exp(-4.0))),
    Form("exponential+products", mean="interacting", rough=False),
    Form("linear in logs", log=True, rough=False),
    Form("quadratic", mean="quadratic", rough=False),
    Form("quadratic in logs", mean="quadratic", log=True, rough=False),
    Form("smooth"),
    Form("smooth in roots", root=True, log=True),
)
FREE = 100.0  # variance of slopes that the runs alone settle
RELEVANCE, NOISE = 0.3, float(np.exp(-6.0))  # assumed: centres of the priors


@dataclass(frozen=True)
class Process:
    """A fitted surface. coefs: of the features, (features,); draws: (draws, features) once drawn.

    group_logs: of a quadratic mean, the logs of its scales and noise.
    """

    form: Form
    scales: Scales
    spread: float
    mean: Mean | None
    level: float
    inputs: tuple[np.ndarray, np.ndarray] = field(repr=False)
    known: np.ndarray = field(repr=False)
    group_logs: np.ndarray | None = field(repr=False, default=None)
    waves: tuple[np.ndarray, np.ndarray] | None = field(repr=False, default=None)
    coefs: np.ndarray = field(repr=False, default_factory=lambda: np.zeros(0))
    draws: np.ndarray = field(repr=False, default_factory=lambda: np.zeros((0, 0)))

    @property
    def noise(self) -> float:
        """sd of a run, in value, or in log value where form.log."""
        return float(np.sqrt(self.scales.noise)) * self.spread

    def features(self, shares: np.ndarray) -> np.ndarray:
        """(points, features)"""
        u = self.standard(shares)
        parts = [self.basis(shares, u)]
        if self.form.rough:
            parts.append(self.bump(u))
        if self.waves is not None:
            frequencies, phases = self.waves
            parts.append(self._height * np.cos(u @ frequencies + phases))
        return np.hstack(parts)

    def value(self, shares: np.ndarray, coefs: np.ndarray | None = None) -> np.ndarray:
        """(points,), or (draws, points) for coefs (draws, features)."""
        coefs = self.coefs if coefs is None else coefs
        size = self.centre(shares) + self.spread * (coefs @ self.features(shares).T)
        return np.exp(size) if self.form.log else size

    def value_and_slope(
        self, shares: np.ndarray, coefs: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(points,) and d value / d share (points, domains); coefs (points, features), each its own."""
        u, by_u = self.standard(shares), self._standard_slopes(shares)
        basis = self.basis(shares, u)
        n_basis, n_known = basis.shape[1], len(self.known)
        own = coefs[:, :n_basis]
        total = np.sum(own * basis, axis=1)
        if self.mean is not None:
            slope = self.mean.slope(shares, own)
        else:
            slope = self.spread * own[:, 1:] * self._tilt * by_u
        if self.form.rough:
            pull = coefs[:, n_basis : n_basis + n_known] * self.bump(u)
            whole = pull.sum(axis=1, keepdims=True)
            turn = -self.scales.relevance * (whole * u - pull @ self.known)
            total += whole[:, 0]
            if self.waves is not None:
                frequencies, phases = self.waves
                rest = self._height * coefs[:, n_basis + n_known :]
                angle = u @ frequencies + phases
                total += np.sum(rest * np.cos(angle), axis=1)
                turn -= (rest * np.sin(angle)) @ frequencies.T
            slope = slope + self.spread * turn * by_u
        size = self.centre(shares) + self.spread * total
        if not self.form.log:
            return size, slope
        return np.exp(size), np.exp(size)[:, None] * slope

    def standard(self, shares: np.ndarray) -> np.ndarray:
        """u, (points, domains)."""
        return (_bent(shares, self.form) - self.inputs[0]) / self.inputs[1]

    def basis(self, shares: np.ndarray, u: np.ndarray) -> np.ndarray:
        """b, (points, basis)."""
        if self.mean is not None:
            return self.mean.features(shares) / self.spread
        return np.hstack([np.ones((len(u), 1)), u * self._tilt])

    def centre(self, shares: np.ndarray) -> np.ndarray:
        """mean(s), (points,)."""
        if self.mean is not None:
            return self.mean.value(shares)
        return np.full(len(shares), self.level)

    def bump(self, u: np.ndarray) -> np.ndarray:
        """cov(r, r') of points and runs, (points, runs)."""
        weighted, known = u * self.scales.relevance, self.known
        distance = (
            np.sum(weighted * u, axis=1)[:, None]
            + np.sum(known * self.scales.relevance * known, axis=1)
            - 2 * weighted @ known.T
        )
        return self.scales.size * np.exp(-0.5 * np.maximum(distance, 0.0))

    @property
    def _tilt(self) -> np.ndarray:
        return np.sqrt(self.scales.slope * self.scales.relevance)

    @property
    def _height(self) -> float:
        return float(np.sqrt(2 * self.scales.size / N_WAVES))

    def _standard_slopes(self, shares: np.ndarray) -> np.ndarray:
        """d u / d share."""
        if not self.form.root:
            return np.broadcast_to(1.0 / self.inputs[1], shares.shape)
        bent = np.maximum(shares, 0.0) + ROOT_OFFSET
        return 0.25 * bent**-0.75 / self.inputs[1]


def _bent(shares: np.ndarray, form: Form) -> np.ndarray:
    return (np.maximum(shares, 0.0) + ROOT_OFFSET) ** 0.25 if form.root else shares


def fit_process(
    form: Form,
    shares: np.ndarray,
    values: np.ndarray,
    *,
    law: Tangent | None = None,
    start: Process | None = None,
    max_iterations: int = 60,
) -> Process:
    """One metric. shares (runs, domains), values (runs,). law: for form.mean law. start: a fit to more
    runs, from whose scales the search goes on; max_iterations 0 keeps them.
    """
    sizes = np.log(values) if form.log else values
    bent = _bent(shares, form)
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
    weights = np.linalg.solve(_covariance(scaled, shares), y)
    return replace(scaled, coefs=_coefs(scaled, shares, weights))


def _with_scales(blank: Process, shares, sizes, start, max_iterations) -> Process:
    """The surface with its scales learnt."""
    form, u = blank.form, blank.standard(shares)
    y = (sizes - blank.centre(shares)) / blank.spread
    if form.mean == "quadratic":
        return _quadratic(blank, u, y, start, max_iterations)
    if form.mean == "interacting":
        return _interacting(blank, shares, y, start, max_iterations)
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


def _interacting(blank: Process, shares, y, start, max_iterations) -> Process:
    """The surface about the law with products in its exponent, shrunk as far as the runs say."""
    n_domains = shares.shape[1]
    whole = np.ones(n_domains * (n_domains + 1) // 2)
    mean = Interacting(blank.mean, *blank.inputs, whole)
    part = mean.products(shares) / blank.spread
    fixed = blank.mean.features(shares) / blank.spread
    logs = learn_groups(
        [part @ part.T],
        y,
        fixed=fixed @ fixed.T,
        centre=np.array([-5.0, np.log(NOISE)]),
        start=start.group_logs if start else None,
        max_iterations=max_iterations,
    )
    mean = replace(mean, heights=np.exp(0.5 * logs[0]) * whole)
    scales = replace(blank.scales, noise=float(np.exp(logs[1])))
    return replace(blank, mean=mean, scales=scales, group_logs=logs)


def _covariance(process: Process, shares: np.ndarray) -> np.ndarray:
    """Of the runs, noise included, (runs, runs)."""
    u = process.standard(shares)
    basis = process.basis(shares, u)
    own = basis @ basis.T + (process.scales.noise + JITTER) * np.eye(len(u))
    return own + process.bump(u) if process.form.rough else own


def spent_unknowns(process: Process, shares: np.ndarray) -> float:
    """Effective number of unknowns: by how much the fitted values follow the runs."""
    covariance = _covariance(process, shares)
    noise = process.scales.noise + JITTER
    return float(len(shares) - noise * np.trace(np.linalg.inv(covariance)))


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
    weights = np.linalg.solve(_covariance(process, shares), off.T).T
    draws = before
    draws[:, :n_fitted] += _coefs(process, shares, weights)
    padding = np.zeros(draws.shape[1] - n_fitted)
    return replace(drawn, coefs=np.append(process.coefs, padding), draws=draws)


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
