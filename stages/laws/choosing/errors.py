"""What the weighted mean of the candidates is off by: on its runs, near them, and beyond them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from stages.laws.choosing.candidate import Candidate, log_value, runs_of
from stages.laws.choosing.discrepancy import Reach, Spread, own_scale
from stages.laws.choosing.folds import Fold
from stages.laws.choosing.misfit import Misfit
from stages.laws.fitting.fit import Fit
from stages.laws.interface import table

LEFT_ITS_RANGE = 600.0  # ours: a log value beyond it is no prediction


@dataclass(frozen=True)
class Errors:
    """scale: of errors beyond the runs, in units of the usual (discrepancy.py); own_scale: of an arm's own among
    them; reach: what is beyond.

    misfit: what the laws leave over; noise: log errors with it, on the runs that were fitted, (runs,).
    """

    scale: float
    own_scale: float
    reach: Reach
    misfit: Misfit
    noise: np.ndarray = field(repr=False)


def errors_of(
    fitted: Sequence[Candidate],
    shares: np.ndarray,
    *,
    rows: table.Rows,
    cuts: Sequence[Fold],
    arm_column: str,
) -> Errors:
    """Of candidates with these shares of the weight, from the runs and their folds."""
    observed = np.log(np.asarray(rows["value"], float))
    fits = [each.fit for each in fitted]
    arms = arms_of(fits, rows, arm_column, observed.size)
    values = [log_value(fit.predict(rows)) for fit in fits]
    residuals = observed - weighted_mean(values, shares)
    misfit = Misfit.of(rows, arms, residuals)
    scale, own = _scales(fitted, shares, rows=rows, cuts=cuts, arms=arms, misfit=misfit)
    return Errors(
        scale=scale,
        own_scale=own,
        reach=Reach.of(rows),
        misfit=misfit,
        noise=_noise(fitted, shares, residuals - misfit.mean(rows, arms)),
    )


def arms_of(
    fits: Sequence[Fit], rows: table.Rows, arm_column: str, n: int
) -> np.ndarray:
    """Name of each row's arm, (rows,), one for all where no fit has anything separate by arm."""
    if not any(fit.by_arm for fit in fits):
        return np.full(n, "all")
    return table.arm_names(rows, arm_column, n)


def weighted_mean(parts: Sequence[np.ndarray], shares: np.ndarray) -> np.ndarray:
    """Weighted mean over the first axis of equal arrays; candidates without a number leave it to the others."""
    stacked = np.stack(parts)
    usable = np.abs(stacked).max(axis=tuple(range(1, stacked.ndim))) < LEFT_ITS_RANGE
    weight = np.where(usable, shares, 0.0)
    if not usable.any():
        return stacked[0]
    return np.tensordot(
        weight / weight.sum(),
        np.where(usable.reshape(-1, *[1] * (stacked.ndim - 1)), stacked, 0.0),
        axes=1,
    )


def between(
    parts: Sequence[np.ndarray], shares: np.ndarray, centre: np.ndarray
) -> np.ndarray:
    """Weighted standard deviation of the candidates around their mean, shape of centre."""
    return np.sqrt(weighted_mean([(part - centre) ** 2 for part in parts], shares))


def _noise(fitted, shares: np.ndarray, residuals: np.ndarray) -> np.ndarray:
    """Residuals, centred, widened for the unknowns, (runs,)."""
    unknowns = float(np.dot(shares, [each.fit.n_free for each in fitted]))
    wide = np.sqrt(residuals.size / max(residuals.size - unknowns, 1))
    return (residuals - residuals.mean()) * wide


def _scales(
    fitted, shares: np.ndarray, *, rows: table.Rows, cuts, arms, misfit: Misfit
) -> tuple[float, float]:
    """How much larger than usual the errors of the weighted mean are on the folds, and those of arms apart."""
    observed = np.log(np.asarray(rows["value"], float))
    surprises: dict[str, list[float]] = defaultdict(list)
    own_surprises: dict[str, list[float]] = defaultdict(list)
    for i, cut in enumerate(cuts):
        held, left = cut.held, ~cut.held
        below = [each.below[i] for each in fitted]
        centre = weighted_mean(below, shares)
        residuals = (observed - centre)[left]
        kept, beyond = runs_of(rows, left), runs_of(rows, held)
        near = misfit.given(kept, arms[left], residuals)
        reach = Reach.of(kept)
        edge = weighted_mean([each.edge[i] for each in fitted], shares)
        spread = Spread(
            noise=1.4826 * float(np.median(np.abs(residuals))) + 1e-4,
            misfit=np.sqrt(near.variance(beyond, arms[held])),
            between=between(below, shares, centre)[held],
            distance=reach.distance(beyond),
            repeats=reach.repeats(beyond),
            unique=reach.unique(beyond),
            moved=(centre - edge)[held],
        )
        error = (centre - observed)[held] + near.mean(beyond, arms[held])
        surprises[cut.axis].append(float(np.mean(error**2 / spread.variance())))
        apart = _apart(error, spread, arms[held])
        if apart is not None:
            own_surprises[cut.axis].append(apart)
    scale = own_scale(surprises)
    return scale, own_scale(_worst(own_surprises)) if own_surprises else scale


def _worst(surprises: dict[str, list[float]]) -> dict[str, list[float]]:
    """Every axis with the surprises of the worst: an arm that goes its own way along one axis does so for good."""
    most = max(surprises.values(), key=np.mean)
    return dict.fromkeys(surprises, most)


def _apart(error: np.ndarray, spread: Spread, arms: np.ndarray) -> float | None:
    """How much further the arms' mean errors lie apart than is usual, squared; None of one arm."""
    names = np.unique(arms)
    if names.size < 2:
        return None
    own = spread.own_variance()
    means = np.array([error[arms == name].mean() for name in names])
    usual = [
        own[arms == name].mean() + spread.noise**2 / np.sum(arms == name)
        for name in names
    ]
    return float(means.var(ddof=1) / np.mean(usual))
