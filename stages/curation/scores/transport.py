"""Which documents would carry the pool towards the target: gradients of optimal transport (GOT-D,
projektor).

Question: of what has the pool too little, judged by the target? Input: embeddings of pool and
target. Output: per document the change of the transport cost when it gets more mass. With the dual
potentials f of OT_eps(pool, target),
    dOT / dmass_i = f_i - sum_{j != i} f_j / (n - 1)           (calibrated: sums to 0)
    dOT / dp_s    = mean of f over source s, less a constant   (projektor; theirs times 1 - p_s)
GOT-D (Kang et al. 2024) keeps the most NEGATIVE: what moves the whole pool to the target, not what
is nearest to it. Scores here are minus that, so high = keep. Distances are squared ones of unit
vectors, the solver is POT's entropic one. Cost: the solve is n x m an iteration on at most
`MAX_POINTS` a side; other documents get their potential by one soft c-transform, n x m once: 0.5
CPU-s for 2,000 x 2,000, 2.7 for 30,000 x 3,000 of 64 columns (measured). Needs the extra
`transport` (POT). Fails where the target holds junk: junk is rare in the pool, so it is what the
pool lacks most (a test). Means little where the embeddings do not tell the target apart.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from stages.curation.scores.settings import MAX_POINTS
from stages.curation.vectors.products import ROUNDING, blocks, unit_rows
from stages.foundation.errors import InputError, RefusedError

REGULARISATION = 0.1  # assumed: of the mean cost; smaller is sharper and slower
# assumed; error of the marginals, L2: where to stop, and what is refused
ITERATIONS, TOLERANCE, GOOD_ENOUGH = (2000, 1e-7, 1e-4)


@dataclass(frozen=True, eq=False)
class Transport:
    """A solved problem: `distance` (entropic, to a product), potentials `source` (n,) of the pool
    and `target` of the rows solved for.
    """

    distance: float
    source: np.ndarray
    target: np.ndarray


def transport(
    pool: np.ndarray,
    target: np.ndarray,
    *,
    mass: np.ndarray | None = None,
    regularisation: float = REGULARISATION,
    max_points: int = MAX_POINTS,
    seed: int = 0,
) -> Transport:
    """Potentials of every pool row (n, d) against the target rows (m, d). `mass` (n,) weighs the
    pool, uniform if not given.

    Larger sides are solved on a sample of `max_points`; sampled or not, each row's potential
    follows from the others' side. Raises RefusedError where the solver does not converge.
    """
    pool, target = unit_rows(pool), unit_rows(target)
    mass = _checked_mass(mass, len(pool))
    rng = np.random.default_rng(seed)
    goals = target[_sample(rng, len(target), at_most=max_points, mass=None)]
    rows = _sample(rng, len(pool), at_most=max_points, mass=mass)
    weights = (
        mass[rows] if len(rows) == len(pool) else np.full(len(rows), 1 / len(rows))
    )  # a sample is drawn by mass
    cost = _cost(pool[rows], goals)
    scale = regularisation * float(cost.mean())
    if scale <= ROUNDING:
        raise InputError(
            "pool and target are one and the same point, so nothing is to be moved;"
            " check the embeddings"
        )
    potential = _solve(weights / weights.sum(), cost, scale)
    source = _soft_minimum(pool, goals, potential=potential, scale=scale)
    return Transport(
        float(weights / weights.sum() @ source[rows] + potential.mean()),
        source,
        potential,
    )


def calibrated_gradient(potentials: np.ndarray) -> np.ndarray:
    """dOT / dmass of each document (n,): its potential less the mean of all others'."""
    f = np.asarray(potentials, dtype=np.float64)
    if len(f) < 2:
        raise InputError(
            f"a calibrated gradient needs two documents or more, got {len(f)}"
        )
    return f - (f.sum() - f) / (len(f) - 1)


def source_gradient(
    potentials: np.ndarray, sources: np.ndarray, n_sources: int
) -> np.ndarray:
    """dOT / dp_s (s,): the mean potential of each source, less their mean (projektor_path.py steps along it).

    projektor compares a source with the others at their weights, which is this divided by 1 - p_s: another direction
    where weights differ, and without bound as one share nears 1.
    """
    f, sources = np.asarray(potentials, dtype=np.float64), np.asarray(sources)
    count = np.bincount(sources, minlength=n_sources)
    if (count == 0).any() or n_sources < 2:
        raise InputError(
            f"each of two sources or more needs a document, these hold {count.tolist()}"
        )
    mean = np.bincount(sources, weights=f, minlength=n_sources) / count
    return mean - mean.mean()


def transport_scores(pool: np.ndarray, target: np.ndarray, **settings) -> np.ndarray:
    """GOT-D's selection score (n,): minus the calibrated gradient, high = keep.

    >>> pool = np.array([[1, 0], [1, 0.1], [0, 1]])  # the target is like the last
    >>> int(transport_scores(pool, np.array([[0, 1], [0.1, 1]])).argmax())
    2
    """
    return -calibrated_gradient(transport(pool, target, **settings).source)


def _checked_mass(mass: np.ndarray | None, n_rows: int) -> np.ndarray:
    mass = np.ones(n_rows) if mass is None else np.asarray(mass, dtype=np.float64)
    if (
        mass.shape != (n_rows,)
        or not np.isfinite(mass).all()
        or mass.min() < 0
        or mass.sum() <= 0
    ):
        raise InputError(
            f"mass must be {n_rows} numbers, none negative and not all 0, got shape"
            f" {mass.shape}"
        )
    return mass / mass.sum()


def _sample(
    rng: np.random.Generator, n_rows: int, at_most: int, mass: np.ndarray | None
) -> np.ndarray:
    if n_rows <= at_most:
        return np.arange(n_rows)
    return np.sort(rng.choice(n_rows, at_most, replace=mass is not None, p=mass))


def _cost(rows: np.ndarray, goals: np.ndarray) -> np.ndarray:
    """Squared distances of unit vectors (n, m) float64."""
    return np.maximum(2.0 - 2.0 * (rows @ goals.T).astype(np.float64), 0.0)


def _soft_minimum(
    rows: np.ndarray, goals: np.ndarray, potential: np.ndarray, scale: float
) -> np.ndarray:
    """f(x) = -eps log mean_j exp((g_j - c(x, y_j)) / eps): the potential of any row, in blocks (n,)."""
    from scipy.special import logsumexp

    parts = [
        -scale
        * (
            logsumexp((potential - _cost(rows[block], goals)) / scale, axis=1)
            - np.log(len(goals))
        )
        for block in blocks(len(rows), len(goals))
    ]
    return np.concatenate(parts)


def _solve(weights: np.ndarray, cost: np.ndarray, scale: float) -> np.ndarray:
    """Potential of the target (m,): plain Sinkhorn, and in logarithms where that under- or overflows."""
    even = np.full(cost.shape[1], 1 / cost.shape[1])
    kept = weights > 0
    with _pot() as ot, warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for method in ("sinkhorn", "sinkhorn_log"):
            _, log = ot.sinkhorn(
                weights[kept],
                even,
                cost[kept],
                scale,
                method=method,
                numItermax=ITERATIONS,
                stopThr=TOLERANCE,
                log=True,
            )
            potential = (
                scale * (np.log(log["v"]) - np.log(even))
                if method == "sinkhorn"
                else scale * (log["log_v"] - np.log(even))
            )
            if np.isfinite(potential).all() and log["err"][-1] <= GOOD_ENOUGH:
                return np.asarray(potential)
    raise RefusedError(
        f"optimal transport did not converge in {ITERATIONS} iterations (error"
        f" {log['err'][-1]:.1e}); raise the regularisation"
    )


@contextmanager
def _pot() -> Iterator:
    """The package POT, which would otherwise import torch (3 s) on sight."""
    name = "POT_BACKEND_DISABLE_PYTORCH"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        with warnings.catch_warnings():
            # an escape sequence in its sources, when first compiled
            warnings.simplefilter("ignore")
            import ot
    except ImportError:
        raise InputError(
            "optimal transport needs the package POT; install it with: pip install"
            " 'assay[transport]'"
        ) from None
    finally:
        os.environ.pop(name) if before is None else os.environ.update({name: before})
    yield ot
