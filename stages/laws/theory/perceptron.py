"""Theory of pruning: test error of a max-margin perceptron on the examples that a probe finds hard
(or easy) (Sorscher et al. 2022).

Teacher T and student J in n dimensions, inputs normal, labels sign(T.x). A probe at angle theta to
T ranks the pool by the margin |probe.x|; the fraction `keep` with the smallest (hard) or largest
(easy) margin is kept, alpha examples a dimension. With x = J.T, y the overlap of J with the part of
the probe that is not T, and t = sign(T.x) J.x,
    alpha = Q / E[(kappa - t)_+^2] at its maximum over (x, y),   Q = 1 - x^2 - y^2,   error = arccos(x) / pi.
This is the published set of saddle equations in a stabler form: the maximum is found by Newton-like
steps, the margin kappa > 0 by bisection on a falling function. Integrals: Gauss-Legendre, the
student's own noise in closed form. Cost: .1 to 1 s an error.

What it says and what not: at a FIXED pool the hard examples never beat the pool in this theory, and
easy ones may beat it in small pools (an effect of the max-margin estimator). theta is unknown in
practice, and there is no label noise: on web data hard can mean wrong.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from stages.foundation.errors import InputError

NODES_PROBE, NODES_TEACHER = 96, 64  # measured: 1.5 times as many move no error by 1e-7
TAIL = 9.0  # normal deviates beyond carry less than 1e-18
LIMITS = ((-12.0, 16.0), (-1.57, 1.57))  # of the logit of r and of the angle
MARGINS = (1e-6, 1e4)  # searched, in units of the length of an input
PERFECT = 1e-6  # radians; below, the probe is the teacher


@dataclass(frozen=True)
class Saddle:
    """The solution: test error, margin, overlaps of the student with the teacher (R) and with the probe (rho)."""

    error: float
    margin: float
    overlap_teacher: float
    overlap_probe: float


@lru_cache(maxsize=8)
def _gauss(n: int):
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return 0.5 * (nodes + 1), 0.5 * weights


def _probe_nodes(keep: float, hard: bool):
    """Nodes |z| of the probe field and their weights, which add up to 1."""
    from scipy.special import (
        ndtri,
    )  # here, because it doubles the time to import this package

    edge = TAIL if keep >= 1 else float(-ndtri((1 - keep) / 2 if hard else keep / 2))
    low, high = (0.0, edge) if hard or keep >= 1 else (edge, edge + TAIL)
    nodes, weights = _gauss(NODES_PROBE)
    z = low + (high - low) * nodes
    density = weights * np.exp(-0.5 * z**2)
    return z, density / density.sum()


def _fields(keep: float, theta: float, hard: bool):
    """(weights, |u|, sign(u) v) over the kept examples: teacher field u, v the part of the probe
    field that is not u.
    """
    z, weight = _probe_nodes(keep, hard)
    if theta < PERFECT:
        return weight, z, np.zeros_like(z)
    c, s = np.cos(theta), np.sin(theta)
    nodes, weights = _gauss(NODES_TEACHER)
    parts = []
    for sign in (1.0, -1.0):  # u of the sign of z, and against it
        centre = sign * c * z
        low, high = (
            np.maximum(centre - TAIL * s, 0.0),
            np.maximum(centre + TAIL * s, 0.0),
        )
        u = low[:, None] + (high - low)[:, None] * nodes
        density = (
            weight[:, None]
            * (high - low)[:, None]
            * weights
            * np.exp(-0.5 * ((u - centre[:, None]) / s) ** 2)
            / (s * np.sqrt(2 * np.pi))
        )
        parts.append(
            (density.ravel(), u.ravel(), ((sign * z[:, None] - c * u) / s).ravel())
        )
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def _log_capacity(point, kappa: float, fields):
    """log Q - log E[(kappa - t)_+^2] at (logit r, angle), x = r cos, y = r sin, its gradient, and
    log's slope over log kappa.
    """
    from scipy.special import (
        expit,
        ndtr,
    )  # here, because it doubles the time to import this package

    weight, u, v = fields
    r, angle = expit(point[0]), point[1]
    q = expit(-point[0]) * (1 + r)  # 1 - r^2 without cancellation
    root = np.sqrt(q)
    mean = r * (np.cos(angle) * u + np.sin(angle) * v)
    d = (kappa - mean) / root
    below, bell = ndtr(d), np.exp(-0.5 * d * d) / np.sqrt(2 * np.pi)
    total = q * np.sum(weight * ((1 + d * d) * below + d * bell))
    # 0 where all kept examples lie beyond the margin: any number of them can be learnt
    total = max(total, 1e-300)
    gap = 2 * root * weight * (d * below + bell)  # slope over kappa at each node
    by_r = -np.sum(gap * mean) / r - 2 * r * np.sum(weight * below)
    by_angle = -np.sum(gap * r * (np.cos(angle) * v - np.sin(angle) * u))
    slope_r = r * (1 - r)
    return (
        np.log(q) - np.log(total),
        np.array([(-2 * r / q - by_r / total) * slope_r, -by_angle / total]),
    )


def _capacity(kappa: float, fields, start, perfect: bool):
    """Maximum of the log capacity over the student's direction, and where it lies."""
    from scipy.optimize import (
        minimize,
    )  # here, because it doubles the time to import this package

    def negative(point):
        full = np.array([point[0], 0.0]) if perfect else point
        value, slope = _log_capacity(full, kappa, fields)
        return -value, -(slope[:1] if perfect else slope)

    size = 1 if perfect else 2
    found = minimize(
        negative,
        start[:size],
        jac=True,
        method="L-BFGS-B",
        bounds=LIMITS[:size],
        options={"gtol": 1e-11, "ftol": 0.0, "maxls": 40},
    )
    return -found.fun, np.append(found.x, 0.0) if perfect else found.x


def _bracket(target, fields, point, perfect):
    """Logs of two margins a factor of 4 apart with the capacity exp(target) between them, and a student near."""
    value, point = _capacity(1.0, fields, start=point, perfect=perfect)
    step, log_kappa = (np.log(4.0) if value > target else -np.log(4.0)), 0.0
    while (value > target) == (step > 0):
        log_kappa += step
        if not np.log(MARGINS[0]) < log_kappa < np.log(MARGINS[1]):
            raise InputError(
                f"alpha = {np.exp(target):g} needs a margin outside {MARGINS[0]:g} .."
                f" {MARGINS[1]:g}, which the solver does not reach"
            )
        value, point = _capacity(
            np.exp(log_kappa), fields, start=point, perfect=perfect
        )
    return min(log_kappa, log_kappa - step), max(log_kappa, log_kappa - step), point


def saddle(
    alpha: float, keep: float = 1.0, theta_degrees: float = 0.0, hard: bool = True
) -> Saddle:
    """Solve for `alpha` kept examples a dimension (a pool of alpha / keep).

    >>> round(saddle(3.0, 0.5).error, 4)
    0.0812
    """
    if not (alpha > 0 and 0 < keep <= 1 and 0 <= theta_degrees < 90):
        raise InputError(
            f"need alpha > 0, 0 < keep <= 1 and 0 <= theta < 90 degrees, got {alpha:g},"
            f" {keep:g} and {theta_degrees:g}"
        )
    theta = np.radians(theta_degrees)
    fields, perfect, target = _fields(keep, theta, hard), theta < PERFECT, np.log(alpha)
    point = np.array([0.0, 0.0])
    low, high, point = _bracket(target, fields, point=point, perfect=perfect)
    while high - low > 1e-11:
        middle = 0.5 * (low + high)
        value, point = _capacity(np.exp(middle), fields, start=point, perfect=perfect)
        low, high = (middle, high) if value > target else (low, middle)
    r, angle = 1 / (1 + np.exp(-point[0])), point[1]
    x, y = r * np.cos(angle), r * np.sin(angle)
    return Saddle(
        float(np.arccos(x) / np.pi),
        margin=float(np.exp(0.5 * (low + high))),
        overlap_teacher=float(x),
        overlap_probe=float(np.cos(theta) * x + np.sin(theta) * y),
    )


def pareto_keep(
    pool_alpha: float, keeps, theta_degrees: float = 0.0, hard: bool = True
) -> tuple[float, float]:
    """(keep, error) of the least error at a fixed pool among `keeps`; compare at fixed kept
    examples with `saddle` itself.
    """
    errors = [
        saddle(keep * pool_alpha, keep, theta_degrees=theta_degrees, hard=hard).error
        for keep in keeps
    ]
    best = int(np.argmin(errors))
    return float(keeps[best]), errors[best]


def pruned_errors(
    pool_alpha: float, keep: float, theta_degrees: float = 0.0
) -> dict[str, float | str]:
    """Errors at a pool of `pool_alpha` examples a dimension: all of it, its hard or its easy part alone.

    >>> pruned_errors(1.0, 0.5)["better"], pruned_errors(8.0, 0.5)["better"]
    ('easy', 'hard')
    """
    kept = keep * pool_alpha
    hard = saddle(kept, keep, theta_degrees, hard=True).error
    easy = saddle(kept, keep, theta_degrees, hard=False).error
    return {
        "pool": pool_alpha,
        "all": saddle(pool_alpha, 1.0, theta_degrees).error,
        "hard": hard,
        "easy": easy,
        "better": "hard" if hard < easy else "easy",
    }
