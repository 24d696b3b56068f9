"""Intervals by a weighted cluster bootstrap: every draw re-weights clusters of runs and refits the
law.

A cluster is what would be drawn anew if the study were repeated: a pool draw, a trunk (checkpoints
of one run), a seed. Weights are exponential, one a cluster and draw, the SAME for all arms that
carry the cluster's label, so that comparisons of arms are paired. Values may differ by draw,
(draws, runs): this is how the sampling noise of the held-out documents enters.

Small samples. Squares fitted by p unknowns shrink the residuals where the design has leverage h, so
the weight of an independent run is gamma with mean 1 and variance 1 / (1 - h)^2 (the bootstrap form
of HC3); a fit of absolute values (Huber with delta below the noise) needs none of it (measured: raw
spread 1.0 to 1.1 of the true one), so h counts by the share of residuals inside delta. With G
clusters of exponential weights the spread is short by sqrt((G-1)/(G+1)) (multinomial weights:
sqrt((G-1)/G)), and G clusters know their own spread with G-1 degrees of freedom. So deviations from
the point estimate are stretched by
    sqrt((G+1)/(G-1)) * t_{df, .95} / z_.95,   df = G-1, or n-p if every run is its own cluster
(predictions in log value, parameters in the fit's own scale). That is all that clusters need which
repeat one design (pool draws). Trunks do not: the only trunk of the smallest size settles alpha
nearly alone, its residuals vanish and so would its share of the spread (measured: 10 to 20 trunks,
data_constrained covered .72 to .91 without, .83 to 1 with). So a cluster of leverage h has gamma
weights of variance max(1, (G-1) / (G+1) / (1-h)^2), less where the stretch is made for an arm with
few of them; see `cluster_leverage`, `cluster_shapes`. The coverage that this gives is in the tests
and in benchmarks/interval_coverage.py.

Unknowns nearly as many as independent runs leave weights nothing to tell: every refit passes through
the same runs (measured: 4 runs of a law of 3 unknowns covered .70 inside them, arms of 3 runs .54).
From a mean leverage of NEARLY_EXACT on draws are refits of the fit's own values with normal noise
instead, as large as the residuals by n - p degrees of freedom say; where unknowns are as many as runs
nothing says it, so UNKNOWN_NOISE is assumed and a note tells.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from stages.foundation.errors import InputError
from stages.laws.fitting.fit import Fit
from stages.laws.fitting.solver import minimise
from stages.laws.interface import table

MIN_ARM_RUNS = 12  # assumed: of fewer residuals the 5 % and 95 % points are no estimate
MAX_LEVERAGE = 0.9  # ours: beyond it weights of variance 100 would drop the run in nearly every draw
# the t / normal ratio is exact at this level; at 80 % and 95 % it is off by less than 10 % for G >=
# 4
STRETCH_LEVEL = 0.90
NEARLY_EXACT = 0.6  # measured: 5 runs of 3 unknowns cover .85 by weights, 6 runs .93
UNKNOWN_NOISE = (
    0.005  # assumed: that of a seed of small proxies, as a share of the loss
)
LEVEL = 0.9  # coverage of an interval that nobody asked otherwise


@dataclass(frozen=True)
class Bootstrap:
    """Refits of a fit. `theta` is (draws, slots); `stretch` the small-sample factor on deviations."""

    fit: Fit
    theta: np.ndarray = field(repr=False)
    n_clusters: int
    stretch: float
    warnings: list[dict[str, str]]

    @property
    def n_draws(self) -> int:
        return self.theta.shape[0]

    def central(self, rows: table.Rows, arm: str | None = None) -> np.ndarray:
        """The value of the fit at each row, (rows,)."""
        return self.fit.predict(rows, arm)

    def predict(
        self,
        rows: table.Rows,
        arm: str | None = None,
        *,
        new_run: bool = False,
        seed: int = 0,
    ) -> np.ndarray:
        """Value at each row in each draw, (draws, rows), stretched. Row d of two calls belongs to
        the same draw.

        new_run=True adds the noise of one new run, drawn from the residuals of the fit, of the
        row's own arm where it has MIN_ARM_RUNS.
        """
        centre = np.log(np.maximum(self.fit.predict(rows, arm), 1e-300))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            drawn = np.log(np.maximum(self.fit.values(self.theta, rows, arm), 1e-300))
        log_value = centre + self.stretch * (drawn - centre)
        if new_run:
            rng, arms = (
                np.random.default_rng(seed),
                self.fit.arm_index(rows, arm, log_value.shape[1]),
            )
            for position in np.unique(arms):
                own = arms == position
                log_value[:, own] += rng.choice(
                    residual_noise(self.fit, position),
                    size=(len(log_value), int(own.sum())),
                )
        return np.exp(np.clip(log_value, -690, 690))

    def interval(
        self,
        rows: table.Rows,
        arm: str | None = None,
        *,
        level: float = LEVEL,
        new_run: bool = False,
    ) -> tuple[np.ndarray, np.ndarray]:
        """(low, high) of the value at each row, each (rows,)."""
        return equal_tailed(self.predict(rows, arm, new_run=new_run), level)

    def param_draws(self) -> dict[str, np.ndarray]:
        """Each parameter in each draw, (draws, 1) or (draws, arms), stretched in the fit's own scale."""
        layout = self.fit.problem.layout
        low, high = layout.range("low", "high")
        stretched = self.fit.theta + self.stretch * (self.theta - self.fit.theta)
        return layout.to_params(
            np.where(self.fit.frozen, stretched, np.clip(stretched, low, high))
        )

    def params(self, level: float = 0.9) -> dict:
        """name -> (low, high), or name -> {arm: (low, high)}."""
        draws, by_arm = self.param_draws(), self.fit.by_arm
        limits = {
            name: np.stack(equal_tailed(d, level), axis=-1).tolist()
            for name, d in draws.items()
        }
        return {
            name: (
                {arm: tuple(limits[name][i]) for i, arm in enumerate(self.fit.arms)}
                if name in by_arm
                else tuple(limits[name][0])
            )
            for name in self.fit.law.parameter_names
        }


def equal_tailed(draws: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles (1 - level) / 2 and (1 + level) / 2 over the first axis."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def residual_noise(fit: Fit, arm: int | None = None) -> np.ndarray:
    """Log residuals of the fit, (runs,), centred and widened for the unknowns that were fitted.

    arm: position of an arm, whose own residuals are taken if there are MIN_ARM_RUNS; noise may differ between arms.
    """
    problem = fit.problem
    residuals = np.log(problem.observed) - np.log(problem.values(fit.theta[None])[0])
    wide = (residuals - residuals.mean()) * np.sqrt(
        residuals.size / max(residuals.size - fit.n_free, 1)
    )
    own = np.ones(wide.size, bool) if arm is None else problem.arm_index == arm
    return wide[own] - wide[own].mean() if own.sum() >= MIN_ARM_RUNS else wide


def stretch_factor(n_clusters: int, freedom: int) -> float:
    """The small-sample factor of the module header; freedom: degrees of freedom of the spread."""
    from scipy.special import (
        ndtri,
        stdtrit,
    )  # here, because it doubles the time to import this package

    tail = (1 + STRETCH_LEVEL) / 2
    return float(
        np.sqrt((n_clusters + 1) / max(n_clusters - 1, 1))
        * stdtrit(max(freedom, 1), tail)
        / ndtri(tail)
    )


def leverage(fit: Fit) -> np.ndarray:
    """Leverage of each run on its own residual, (runs,), counted by the share of residuals inside Huber's delta."""
    problem = fit.problem
    residuals = problem.residuals(problem.values(fit.theta[None]), problem.observed)[0]
    inside = (
        np.mean(np.abs(residuals) <= problem.delta)
        if problem.objective == "huber_log"
        else 1.0
    )
    return np.clip(inside * np.sum(_fitted_space(fit) ** 2, axis=0), 0.0, MAX_LEVERAGE)


def cluster_leverage(fit: Fit, label: np.ndarray) -> np.ndarray:
    """Leverage of each cluster on its own residuals, (clusters,) in the order of the sorted labels;
    1 / G for G repeats of one design.

    The block H_g of the hat matrix has one leverage a direction, its eigenvalues; they are averaged
    with themselves as weights, |H_g|^2 / tr H_g. All residuals count, also beyond Huber's delta
    (measured: by the share inside, 10 trunks covered .81 to .97, so .85 to 1).
    """
    space, index = _fitted_space(fit), np.unique(label, return_inverse=True)[1]
    blocks = [
        part @ part.T for part in (space[:, index == g] for g in range(index.max() + 1))
    ]  # (directions, directions), eigenvalues of H_g
    return np.clip(
        [np.sum(block**2) / max(np.trace(block), 1e-300) for block in blocks],
        0.0,
        MAX_LEVERAGE,
    )


def _fitted_space(fit: Fit) -> np.ndarray:
    """Orthonormal directions that the unknowns can follow, (directions, runs)."""
    problem = fit.problem
    values, jac = problem.jacobian(fit.theta[None])
    jac = jac[0][~fit.frozen] / (
        1.0 if problem.objective == "least_squares" else values
    )
    jac = jac if problem.weights is None else jac * np.sqrt(problem.weights)
    scaled = jac / np.maximum(np.linalg.norm(jac, axis=1, keepdims=True), 1e-300)
    return np.linalg.svd(scaled, full_matrices=False)[2]


def run_weights(
    shape: np.ndarray, n_draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Gamma weights for independent runs (or clusters), (draws, runs): mean 1, variance 1 / shape."""
    return rng.standard_gamma(shape, (n_draws, shape.size)) / shape


def cluster_shapes(leverages: np.ndarray, n_clusters: int) -> np.ndarray:
    """Gamma shape of each cluster's weights, (clusters,): 1 / variance, at most 1.

    n_clusters: of the arm with the fewest, from which the stretch is made; what it gives beyond the
    need of all clusters is left out.
    """
    total = leverages.size
    spare = stretch_factor(n_clusters, n_clusters - 1) / stretch_factor(
        total, total - 1
    )
    return np.minimum(
        1.0, spare**2 * (total + 1) / max(total - 1, 1) * (1 - leverages) ** 2
    )


def cluster_weights(
    labels: Sequence[np.ndarray],
    n_draws: int,
    rng: np.random.Generator,
    shapes: Sequence[np.ndarray] = (),
) -> np.ndarray:
    """Gamma weights, one a cluster and draw, (draws, runs), exponential without shapes; with
    several clusterings the product of their weights.

    shapes: of each clustering, (clusters,) in the order of its sorted labels. Products over-state
    the noise that no clustering explains (weights of variance 3 instead of 1): wide, never narrow.
    """
    weights = np.ones((n_draws, labels[0].size))
    for position, label in enumerate(labels):
        index = np.unique(label, return_inverse=True)[1]
        shape = shapes[position] if len(shapes) else np.ones(index.max() + 1)
        weights *= run_weights(shape, n_draws, rng)[:, index]
    return weights


def bootstrap(
    fit: Fit,
    rows: table.Rows,
    *,
    clusters: str | Sequence[str] = (),
    n_draws: int = 1000,
    values: np.ndarray | None = None,
    seed: int = 0,
) -> Bootstrap:
    """Refit `fit` on n_draws re-weightings of the same `rows` that it was fitted to.

    clusters: column(s) that label the clusters; none means that every run is independent.
    values: (draws, runs) observed values by draw, or None for the values of the fit.

    >>> from stages.laws import get_law
    >>> from stages.laws.fitting.fit import fit_law
    >>> rows = table.example_runs()
    >>> fit = fit_law(get_law("chinchilla"), rows, by_arm=("E", "B"))
    >>> boot = bootstrap(fit, rows, clusters="pool_draw", n_draws=200)
    >>> low, high = boot.interval({"n_params": 1e9, "n_tokens_seen": 2e10}, arm="strict")
    >>> truth = 1.8 + 400 / 1e9**0.34 + 1600 / 2e10**0.36
    >>> bool(low < truth < high)
    True
    """
    n = fit.n_points
    labels = [
        table.arm_names(rows, name, n)
        for name in ([clusters] if isinstance(clusters, str) else clusters)
    ]
    observed = None if values is None else _drawn_values(values, n_draws, n)
    rng = np.random.default_rng(seed)
    n_clusters = min((_fewest(label, fit) for label in labels), default=n)
    shapes = [
        cluster_shapes(cluster_leverage(fit, label), n_clusters) for label in labels
    ]
    weights = (
        cluster_weights(labels, n_draws, rng=rng, shapes=shapes)
        if labels
        else run_weights((1 - leverage(fit)) ** 2, n_draws, rng)
    )
    if observed is None and not labels and fit.n_free >= NEARLY_EXACT * n:
        observed, weights = _noisy_values(fit, n_draws, rng), np.ones((n_draws, n))
    weights /= weights.mean(axis=1, keepdims=True)
    starts = np.tile(fit.theta, (n_draws, 1))
    priors = fit.problem.priors
    means = None if priors is None else priors.drawn_means(n_draws, rng)
    solved = minimise(
        fit.problem,
        starts,
        weights=weights,
        observed=observed,
        prior_means=means,
        frozen=fit.frozen,
        tolerance=1e-6,
        max_iterations=50,
    )
    good = np.isfinite(solved.objective)
    stretch = stretch_factor(n_clusters, n_clusters - 1 if labels else n - fit.n_free)
    notes = _notes(n_clusters, labels, failed=int((~good).sum()), n_draws=n_draws)
    notes += _unknown_noise(fit) if not labels and values is None else []
    return Bootstrap(
        fit,
        theta=solved.theta[good],
        n_clusters=n_clusters,
        stretch=stretch,
        warnings=notes,
    )


def _noisy_values(fit: Fit, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    """Values of the fit with normal noise in their logs, (draws, runs)."""
    problem, freedom = fit.problem, fit.n_points - fit.n_free
    values = problem.values(fit.theta[None])[0]
    off = np.log(problem.observed) - np.log(np.maximum(values, 1e-300))
    sd = np.sqrt(np.sum(off**2) / freedom) if freedom > 0 else UNKNOWN_NOISE
    return values * np.exp(sd * rng.standard_normal((n_draws, fit.n_points)))


def _unknown_noise(fit: Fit) -> list[dict[str, str]]:
    """A coded warning where the runs say nothing of their own noise."""
    if fit.n_points > fit.n_free:
        return []
    return [
        table.note(
            "noise_assumed",
            "warning",
            f"{fit.n_points} runs and {fit.n_free} unknowns: nothing says how noisy the"
            f" runs are, so intervals assume {UNKNOWN_NOISE:.1%} of the value; add runs",
        )
    ]


def _drawn_values(values, n_draws, n) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if values.shape != (n_draws, n):
        raise InputError(
            f"values by draw must have shape (draws, runs) = ({n_draws}, {n}), got"
            f" {values.shape}"
        )
    if not (np.isfinite(values).all() and (values > 0).all()):
        raise InputError(
            "values by draw must be positive and finite; drop the runs where they"
            " are not"
        )
    return values


def _fewest(label: np.ndarray, fit: Fit) -> int:
    """Number of clusters of the arm that has the fewest."""
    return min(
        np.unique(label[fit.problem.arm_index == arm]).size
        for arm in np.unique(fit.problem.arm_index)
    )


def _notes(n_clusters, labels, failed, n_draws):
    """Coded warnings about the bootstrap."""
    if labels and n_clusters < 2:
        raise InputError(
            "an arm has a single cluster, so nothing says how much a new one would"
            " differ; draw the pool again or drop clusters="
        )
    notes = []
    if labels and n_clusters < 4:
        notes.append(
            table.note(
                "few_clusters",
                "warning",
                f"{n_clusters} clusters: intervals are wide (t with {n_clusters - 1}"
                " degrees of freedom) and rest on that assumption",
            )
        )
    if failed:
        notes.append(
            table.note(
                "failed_draws",
                "warning",
                f"{failed} of {n_draws} refits failed and were left out",
            )
        )
    return notes
