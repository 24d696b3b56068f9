"""What the laws leave over in the runs, and what it says nearby: a Gaussian process of the residuals.

A weighted mean of laws that is too low for the largest runs is too low beyond them, too, and an arm that bends away
from its law goes on doing so for a while. Residuals in log value are
    r(x, arm) = f(x) + g_arm(x) + noise,
with f and g_arm of squared exponential covariance over natural logs of size, tokens and epochs (of compute where there
is nothing else). f is common to all arms, so it leaves their leads; g is an arm's own. Size of both and of the noise
are those that the residuals make likely (Rasmussen and Williams 2006, eq. 2.30); a length is assumed, because few runs
tell one. Where residuals are noise, nothing is added; where they are not, predictions follow them out to about one
length and are that much less sure.
"""

import zlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from stages.laws.interface import table

LENGTH = (
    1.0  # ours: natural logs over which a misfit holds; tried .7 to 6 (docs/LOG.md)
)
MOST_CELLS = (
    400  # ours: more are joined with their neighbours, since cost grows with the cube
)
N_FEATURES = (
    256  # ours: cosines of a drawn function; their covariance is off by 1 / sqrt(256)
)
OWN_SHARES = (0.2, 0.5, 0.8)  # ours: of the squared misfit, what is an arm's own
RATIOS = np.geomspace(1e-3, 1e3, 25)  # misfit over noise, squared
USUAL_RATIO, RATIO_SPREAD = 0.14, 2.4  # assumed: centre and natural logs of its spread


@dataclass(frozen=True)
class Misfit:
    """The process given the runs. at: (cells, axes) natural logs; arm, residual, n_runs: (cells,).

    signal: standard deviation of f + g, own_share: of its square that is g's; noise: standard deviation of one run;
    all in log value.
    """

    axes: tuple[str, ...] = ()
    at: np.ndarray = field(repr=False, default_factory=lambda: np.zeros((0, 0)))
    arm: np.ndarray = field(repr=False, default_factory=lambda: np.zeros(0, str))
    residual: np.ndarray = field(repr=False, default_factory=lambda: np.zeros(0))
    n_runs: np.ndarray = field(repr=False, default_factory=lambda: np.zeros(0))
    signal: float = 0.0
    own_share: float = 0.0
    noise: float = 0.0

    @classmethod
    def of(cls, rows: table.Rows, arms: np.ndarray, residuals: np.ndarray) -> "Misfit":
        """Fitted to residuals (log value, (runs,)) of runs with these arms (runs,)."""
        axes = axes_of(rows)
        if not axes:
            return cls()
        cells = _cells(_logs(rows, axes), arms, residuals)
        signal, own_share, noise = _sizes(cells)
        return cls._over(axes, cells, signal=signal, own_share=own_share, noise=noise)

    @classmethod
    def _over(cls, axes: tuple[str, ...], cells: "Cells", **sizes: float) -> "Misfit":
        """The process of these sizes given the cells."""
        return cls(
            axes,
            at=cells.at,
            arm=cells.arm,
            residual=cells.residual,
            n_runs=cells.n_runs,
            **sizes,
        )

    def given(self, rows: table.Rows, arms, residuals: np.ndarray) -> "Misfit":
        """The same sizes and other runs."""
        if not self.axes:
            return self
        cells = _cells(_logs(rows, self.axes), arms, residuals)
        return self._over(
            self.axes,
            cells,
            signal=self.signal,
            own_share=self.own_share,
            noise=self.noise,
        )

    @property
    def unseen(self) -> float:
        """Standard deviation of a place's mean, in log value: a smaller misfit cannot be seen in the runs."""
        if not self.n_runs.size:
            return self.noise
        return float(self.noise * np.sqrt(np.mean(1 / self.n_runs)))

    def mean(self, rows: table.Rows, arms: np.ndarray) -> np.ndarray:
        """Log value that the runs nearby add to what the laws say, (rows,)."""
        if not self.signal:
            return np.zeros(arms.size)
        return self._near(rows, arms) @ self._solve(self.residual)

    def variance(self, rows: table.Rows, arms: np.ndarray) -> np.ndarray:
        """Squared log error that is left of the misfit, (rows,)."""
        if not self.signal:
            return np.zeros(arms.size)
        near = self._near(rows, arms)
        known = np.sum(near * self._solve(near.T).T, axis=1)
        return np.maximum(self.signal**2 - known, 0.0)

    def draws(
        self, rows: table.Rows, arms: np.ndarray, *, n_draws: int, seed: int
    ) -> np.ndarray:
        """Functions of the process minus its mean, (draws, rows).

        Two calls with one seed give the same functions. By Matheron's rule: a function drawn before the runs,
        corrected by what it says of them (Wilson et al. 2020, arXiv 2002.09309, eq. 8).
        """
        if not self.signal:
            return np.zeros((n_draws, arms.size))
        said = self._prior(_logs(rows, self.axes), arms, n_draws, seed)
        return said - (self._near(rows, arms) @ self._correction(n_draws, seed)).T

    def _correction(self, n_draws: int, seed: int) -> np.ndarray:
        """Weights of the cells that bring functions drawn before the runs to the runs, (cells, draws)."""
        if (n_draws, seed) not in self._corrections:
            at_runs = self._prior(self.at, self.arm, n_draws, seed)
            scatter = np.random.default_rng([seed, 5]).standard_normal(at_runs.shape)
            at_runs += self.noise / np.sqrt(self.n_runs) * scatter
            self._corrections.clear()
            self._corrections[n_draws, seed] = self._solve(at_runs.T)
        return self._corrections[n_draws, seed]

    def _prior(self, at: np.ndarray, arms, n_draws: int, seed: int) -> np.ndarray:
        """Functions drawn before any run is seen, (draws, points), as sums of cosines."""
        rng = np.random.default_rng([seed, 3])
        waves = rng.standard_normal((at.shape[1], N_FEATURES)) / LENGTH
        phases = rng.uniform(0.0, 2 * np.pi, N_FEATURES)
        features = np.sqrt(2.0 / N_FEATURES) * np.cos(at @ waves + phases)
        common = rng.standard_normal((n_draws, N_FEATURES)) @ features.T
        drawn = np.sqrt(1 - self.own_share) * common
        for arm in np.unique(arms):
            own = np.random.default_rng([seed, 4, zlib.crc32(str(arm).encode())])
            weights = own.standard_normal((n_draws, N_FEATURES))
            columns = arms == arm
            drawn[:, columns] += np.sqrt(self.own_share) * weights @ features[columns].T
        return self.signal * drawn

    def _near(self, rows: table.Rows, arms: np.ndarray) -> np.ndarray:
        """Covariance of rows and cells, (rows, cells)."""
        at = _logs(rows, self.axes)
        return self.signal**2 * _alike(at, arms, self.at, self.arm, self.own_share)

    def _solve(self, right: np.ndarray) -> np.ndarray:
        from scipy.linalg import cho_solve  # here: it is slow to import

        return cho_solve(self._factor, right)

    @cached_property
    def _corrections(self) -> dict[tuple[int, int], np.ndarray]:
        """(draws, seed) -> `_correction`, the last alone: a record is asked hundreds of times with one seed."""
        return {}

    @cached_property
    def _factor(self):
        from scipy.linalg import cho_factor  # here: it is slow to import

        whole = self.signal**2 * _alike(
            self.at, self.arm, self.at, self.arm, self.own_share
        )
        return cho_factor(whole + np.diag(self.noise**2 / self.n_runs))


def axes_of(rows: table.Rows) -> tuple[str, ...]:
    """Quantities over which residuals may be alike."""
    sizes = tuple(name for name in ("n_params", "n_tokens_seen") if name in rows)
    if len(sizes) < 2 and "flops" in rows:
        return ("flops",)
    if {"n_tokens_seen", "n_tokens_unique"} <= set(rows):
        return (*sizes, "epochs")
    return sizes


def _logs(rows: table.Rows, axes) -> np.ndarray:
    """Natural logs of the axes, (rows, axes)."""
    columns = []
    for name in axes:
        if name == "epochs":
            known = "n_tokens_unique" in rows
            seen = np.asarray(rows["n_tokens_seen"], float)
            value = seen / table.unique_tokens(rows) if known else np.ones_like(seen)
        elif name == "flops":
            value = table.run_flops(rows)
        else:
            value = np.asarray(rows[name], float)
        columns.append(np.log(np.atleast_1d(value)))
    return np.stack(np.broadcast_arrays(*columns), axis=-1)


def _alike(at, arms, other_at, other_arms, own_share: float) -> np.ndarray:
    """Correlation of two lists of points, (points, others)."""
    apart = np.sum((at[:, None] - other_at[None]) ** 2, axis=-1)
    same = arms[:, None] == other_arms[None]
    return np.exp(-apart / (2 * LENGTH**2)) * (1 - own_share + own_share * same)


class Cells(NamedTuple):
    """Runs of one place and arm as one, (cells,) each; residual: their mean; within: squares around the means."""

    at: np.ndarray
    arm: np.ndarray
    residual: np.ndarray
    n_runs: np.ndarray
    within: float


def _cells(at: np.ndarray, arms: np.ndarray, residuals: np.ndarray) -> Cells:
    """The runs by place and arm; places within a step are one where there are too many."""
    codes = np.unique(arms, return_inverse=True)[1]
    step = 1e-6
    while True:
        key = np.column_stack([np.round(at / step), codes])
        _, first, group = np.unique(key, axis=0, return_index=True, return_inverse=True)
        if first.size <= MOST_CELLS or step > LENGTH:
            break
        step = max(2 * step, LENGTH / 16)
    group = group.ravel()
    n_runs = np.bincount(group).astype(float)
    mean = np.bincount(group, residuals) / n_runs
    within = float(np.sum((residuals - mean[group]) ** 2))
    places = np.stack([np.bincount(group, column) / n_runs for column in at.T], axis=-1)
    return Cells(places, arms[first], residual=mean, n_runs=n_runs, within=within)


def _sizes(cells: Cells) -> tuple[float, float, float]:
    """(signal, own share, noise) that the cells make likely: means over a grid, weighted by likelihood and prior."""
    at, arms, residual, n_runs, within = cells
    several = np.unique(arms).size > 1
    shares = np.array(OWN_SHARES if several else (0.0,))
    scaled = np.sqrt(n_runs)
    total = n_runs.sum()
    logs, noises = np.empty((2, shares.size, RATIOS.size))
    for i, share in enumerate(shares):
        whole = _alike(at, arms, at, arms, share) * scaled[:, None] * scaled
        values, vectors = np.linalg.eigh(whole)
        seen = (vectors.T @ (scaled * residual)) ** 2
        spread = RATIOS[:, None] * np.maximum(values, 0.0) + 1.0
        noises[i] = (np.sum(seen / spread, axis=1) + within) / total + 1e-12
        logs[i] = -0.5 * (total * np.log(noises[i]) + np.log(spread).sum(axis=1))
    logs -= 0.5 * (np.log(RATIOS / USUAL_RATIO) / RATIO_SPREAD) ** 2
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    noise = np.sqrt(np.sum(weights * noises))
    ratio = np.exp(np.sum(weights * np.log(RATIOS)))
    share = float(np.sum(weights * shares[:, None]))
    return float(noise * np.sqrt(ratio)), share, float(noise)
