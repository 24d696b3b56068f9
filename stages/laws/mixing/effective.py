"""Mixtures as so many effective tokens: a domain's tokens are worth w_j of the first one's for this metric.

    value = E + exp(k) (sum_j w_j s_j)^-p,   w of the first domain 1

At one model size and one number of tokens D this is E + A / (effective tokens)^p with D absorbed by k: data of one
domain count for another as in Hernandez et al. 2021 (arXiv 2102.01293, eq. 1.1), and with p = 1 it is the mixing law
of Shukor et al. 2025 (arXiv 2507.09404) with exponents of shares at 1. It rises steeply where everything that helps
is scarce, which an exponential of shares cannot. Fitted by least squares with weak priors on log w and log p, since
small p and low E run away together; near the fit it is linear in the departures of its constants, as tangent.py is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from stages.laws.mixing.tangent import LEAST_NOISE, PRIOR_SD, scaled_basis

LOG_WORTH_SD = 2.0  # assumed: of log w about 0
LOG_POWER, LOG_POWER_SD = -1.0, 1.0  # assumed: p about .37, published .1 to 1
STARTS = (  # ours: log p, and log w of the domains that help least
    (-1.5, -1.0),
    (-0.5, -1.0),
    (0.3, -3.0),
)
LEAST_WORTH = 1e-9


@dataclass(frozen=True)
class Effective:
    """The law at its fit. theta: E, k, log p and log w of all domains but the first, (domains + 2,).

    to_basis: (domains + 2, features).
    """

    theta: np.ndarray
    to_basis: np.ndarray = field(repr=False)

    def value(self, shares: np.ndarray) -> np.ndarray:
        """(points,) at shares (points, domains)."""
        return self.theta[0] + self.term(shares)

    def features(self, shares: np.ndarray) -> np.ndarray:
        """Ways in which the constants can move the value, (points, features)."""
        return _by_constant(self.theta, shares) @ self.to_basis

    def slope(self, shares: np.ndarray, coefs: np.ndarray) -> np.ndarray:
        """d (value + coefs . features) / d share, (points, domains); coefs (points, features)."""
        power, worth = _power_and_worth(self.theta)
        moved = coefs @ self.to_basis.T  # of E, k, log p and log w
        log_worth = np.hstack([np.zeros((len(moved), 1)), moved[:, 3:]])
        whole = _whole(worth, shares)
        shift = np.sum(log_worth * worth * shares, axis=1) / whole
        factor = 1 + moved[:, 1] - power * (moved[:, 2] * np.log(whole) + shift)
        each = -power * worth / whole[:, None]
        rest = factor + moved[:, 2] - shift
        return self.term(shares)[:, None] * each * (rest[:, None] + log_worth)

    def term(self, shares: np.ndarray) -> np.ndarray:
        """exp(k) (sum_j w_j s_j)^-p, (points,)."""
        power, worth = _power_and_worth(self.theta)
        exponent = self.theta[1] - power * np.log(_whole(worth, shares))
        return np.exp(np.clip(exponent, -700.0, 50.0))


def fit_effective(
    shares: np.ndarray, values: np.ndarray, folds: Sequence[np.ndarray]
) -> tuple[Effective, list[Effective]]:
    """The law on all runs, and on those outside of each fold, from where all runs have it.

    shares (runs, domains); values (runs,); folds: True for the runs left out, (runs,) each.
    """
    ends = [_fitted(start, shares, values) for start in _starts(shares, values)]
    theta = min(ends, key=lambda end: end[0])[1]
    parts = [_fitted(theta, shares[~fold], values[~fold])[1] for fold in folds]
    return _on_runs(theta, shares, values), [
        _on_runs(part, shares[~fold], values[~fold])
        for part, fold in zip(parts, folds, strict=True)
    ]


def _starts(shares: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
    """First constants: what helps by the sign of its correlation, E and k by a straight line through the term."""
    off = shares - shares.mean(axis=0)
    helps = -(values - values.mean()) @ off
    found = []
    for log_power, little in STARTS:
        log_worth = np.where(helps > 0, 0.0, little)
        theta = np.concatenate([[0.0, 0.0, log_power], log_worth[1:] - log_worth[0]])
        term = Effective(theta, np.eye(theta.size)).term(shares)
        apart, spread = term - term.mean(), float(term.std()) + 1e-12
        slope = float(apart @ values) / (apart.size * spread**2)
        size = max(slope, 0.1 * float(values.std()) / spread, 1e-12)
        level = float(values.mean() - slope * term.mean())
        found.append(np.append([level, np.log(size)], theta[2:]))
    return found


def _fitted(
    start: np.ndarray, shares: np.ndarray, values: np.ndarray
) -> tuple[float, np.ndarray]:
    """(cost, constants) of least squares with the priors, whose weight is the noise about the law.

    The noise is that of the fit before: two fits, the first with the noise of a tenth of the spread.
    """
    from scipy.optimize import least_squares  # here: it is slow to import

    spread = float(values.std()) + 1e-300
    centre, sd = _priors(start.size)
    theta, noise = start, 0.1 * spread
    for _ in range(2):
        pull = noise / sd

        def errors(theta, pull=pull):
            said = theta[0] + Effective(theta, np.zeros((0, 0))).term(shares)
            return np.append(said - values, pull * (theta[2:] - centre))

        def slopes(theta, pull=pull):
            own = np.hstack([np.zeros((centre.size, 2)), np.diag(pull)])
            return np.vstack([_by_constant(theta, shares), own])

        found = least_squares(
            errors, theta, jac=slopes, method="lm", x_scale="jac", max_nfev=200
        )
        theta = found.x
        left = found.fun[: values.size]
        free = max(values.size - theta.size, 1)
        noise = max(np.sqrt(left @ left / free), LEAST_NOISE * spread)
    return float(found.cost), theta


def _priors(n_constants: int) -> tuple[np.ndarray, np.ndarray]:
    """Centres and sds of log p and log w, (constants - 2,) each."""
    n_worth = n_constants - 3
    centre = np.append(LOG_POWER, np.zeros(n_worth))
    return centre, np.append(LOG_POWER_SD, np.full(n_worth, LOG_WORTH_SD))


def _on_runs(theta: np.ndarray, shares: np.ndarray, values: np.ndarray) -> Effective:
    """With features scaled so that each moves the runs by PRIOR_SD of their spread."""
    moved = _by_constant(theta, shares)
    return Effective(theta, scaled_basis(moved, PRIOR_SD * float(values.std())))


def _by_constant(theta: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """d value / d (E, k, log p, log w), (points, domains + 2)."""
    power, worth = _power_and_worth(theta)
    whole = _whole(worth, shares)
    term = np.exp(np.clip(theta[1] - power * np.log(whole), -700.0, 50.0))[:, None]
    by_power = -power * np.log(whole)[:, None]
    by_worth = -power * (worth * shares)[:, 1:] / whole[:, None]
    return np.hstack([np.ones_like(term), term, term * by_power, term * by_worth])


def _power_and_worth(theta: np.ndarray) -> tuple[float, np.ndarray]:
    """p and w of every domain, (domains,)."""
    return float(np.exp(min(theta[2], 5.0))), np.exp(
        np.clip(np.append(0.0, theta[3:]), -20.0, 20.0)
    )


def _whole(worth: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """sum_j w_j s_j, (points,); a search may ask a little outside of the simplex."""
    return np.maximum(shares @ worth, LEAST_WORTH)
