"""One smooth surface of one metric over mixtures, with draws of what it may be.

    g(value) = mean(s) + sum_q c_q b_q(s) + r(s) + noise,   c ~ Normal(0, 1)
    cov(r, r') = size * exp(-sum_j a_j (u_j - u'_j)^2 / 2)

The mean is the exponential law with its tangents (tangent.py), that of effective tokens (effective.py), slopes and
products (polynomial.py), or slopes in u; u is the share or its fourth root, g the value or its log. A draw is
one function of the posterior by Matheron's rule (a draw before the runs are seen, corrected at the
runs), so that it can be asked anywhere. Cost: of the order runs^3, 5 to 60 ms a fit.
"""

from dataclasses import dataclass, field

import numpy as np

from stages.laws.mixing.effective import Effective
from stages.laws.mixing.interacting import Interacting
from stages.laws.mixing.polynomial import Polynomial
from stages.laws.mixing.scales import Scales
from stages.laws.mixing.tangent import Tangent

ROOT_OFFSET = 1e-3  # ours: published shares have three decimals, and 0 must not be infinitely far from .001
N_WAVES = 200  # ours: random Fourier features of a draw of r
Mean = Tangent | Polynomial | Interacting | Effective


@dataclass(frozen=True)
class Form:
    """What kind of surface.

    mean: law, interacting, effective, quadratic or slopes; root: fourth roots of shares; log: of values; rough: with r,
    whose size before the runs are seen is `size`.
    """

    name: str
    mean: str = "slopes"
    root: bool = False
    log: bool = False
    rough: bool = True
    size: float = 1.0

    @property
    def of_law(self) -> bool:
        """Whether it lies about a law with constants, that of `law_kind`."""
        return self.law_kind is not None

    @property
    def law_kind(self) -> str | None:
        """exponential (tangent.py) or effective (effective.py)."""
        kinds = {"law": "exponential", "interacting": "exponential"}
        return {**kinds, "effective": "effective"}.get(self.mean)


FORMS = (
    Form("exponential", mean="law", rough=False),
    Form("exponential+smooth", mean="law", size=float(np.exp(-4.0))),
    Form("exponential+products", mean="interacting", rough=False),
    Form("effective tokens", mean="effective", rough=False),
    Form("linear in logs", log=True, rough=False),
    Form("quadratic", mean="quadratic", rough=False),
    Form("quadratic in logs", mean="quadratic", log=True, rough=False),
    Form("smooth"),
    Form("smooth in roots", root=True, log=True),
)


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
        return (bent_shares(shares, self.form) - self.inputs[0]) / self.inputs[1]

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


def bent_shares(shares: np.ndarray, form: Form) -> np.ndarray:
    return (np.maximum(shares, 0.0) + ROOT_OFFSET) ** 0.25 if form.root else shares
