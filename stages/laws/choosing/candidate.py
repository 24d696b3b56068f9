"""A candidate law: fitted to all runs, and again below every fold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from stages.foundation.errors import InputError
from stages.laws.choosing.discrepancy import Reach
from stages.laws.choosing.folds import Fold
from stages.laws.fitting.fit import Fit
from stages.laws.fitting.posed import Start, start_law
from stages.laws.fitting.solver import minimise
from stages.laws.fitting.variant import Variant
from stages.laws.interface import table
from stages.laws.interface.law import Law

N_ENDS = 8  # measured: more of the coarse ends are followed without another result
ENDS_REFITTED = 3  # ours: a refit below a cut starts from so many ends of the whole fit


@dataclass(frozen=True)
class Candidate:
    """A variant fitted to all runs, and what its refit below each fold says, in log value, (folds, runs) each.

    below: of every run; edge: of every run brought back to the edge of those that the fold leaves.
    """

    variant: Variant
    fit: Fit
    below: np.ndarray
    edge: np.ndarray


def fitted_candidates(
    variants: Sequence[Variant],
    rows: table.Rows,
    cuts: Sequence[Fold],
    *,
    separate: Callable[[Law], tuple[str, ...]],
    options: dict,
) -> tuple[list[Candidate], dict[str, str]]:
    """Every candidate that the runs allow, and why others are none; InputError if all.

    separate: parameters that each arm has for itself, by law; options: of start_law.
    """
    found, refused = [], {}
    starts: dict[str, Start] = {}
    edges = [Reach.of(runs_of(rows, ~cut.held)).inside(rows) for cut in cuts]
    for variant in variants:
        try:
            key = f"{variant.law.name} {sorted(variant.ranges.items())}"
            if key not in starts:
                law = variant.bounded()
                starts[key] = start_law(
                    law, rows, by_arm=separate(variant.law), **options
                )
            fit = variant.fit_from(
                starts[key], rows, arm_column=options["arm_column"], n_ends=N_ENDS
            )
            found.append(Candidate(variant, fit, *_below(fit, cuts, edges)))
        except InputError as refusal:
            refused[variant.name] = str(refusal)
    if not found:
        reasons = "; ".join(f"{name}: {why}" for name, why in refused.items())
        raise InputError(f"no candidate could be fitted: {reasons}")
    return found, refused


def _below(
    fit: Fit, cuts: Sequence[Fold], edges: Sequence[table.Rows]
) -> tuple[np.ndarray, np.ndarray]:
    """Log values from refits without the runs of each fold, of all runs and at the edge, (folds, runs) each.

    All folds and ends are one batch: a run that is held out has weight 0.
    """
    if not cuts:
        nothing = np.zeros((0, fit.n_points))
        return nothing, nothing
    ends = fit.ends[:ENDS_REFITTED]
    starts = np.tile(ends, (len(cuts), 1))
    weights = np.repeat([~cut.held for cut in cuts], len(ends), axis=0).astype(float)
    solved = minimise(
        fit.problem,
        starts,
        weights=weights,
        frozen=fit.frozen,
        tolerance=1e-6,
        max_iterations=50,
    )
    objective = np.where(np.isfinite(solved.objective), solved.objective, np.inf)
    best = objective.reshape(len(cuts), len(ends)).argmin(axis=1)
    theta = solved.theta.reshape(len(cuts), len(ends), -1)[np.arange(len(cuts)), best]
    with np.errstate(all="ignore"):
        said = log_value(fit.problem.values(theta))
        at_edge = [
            log_value(fit.values(own[None], edge)[0])
            for own, edge in zip(theta, edges, strict=True)
        ]
    return said, np.stack(at_edge)


def log_value(values: np.ndarray) -> np.ndarray:
    """Natural log, finite whatever the value."""
    return np.log(np.clip(np.nan_to_num(values, nan=1e300), 1e-300, 1e300))


def runs_of(rows: table.Rows, mask: np.ndarray) -> table.Rows:
    """The runs of the mask; what is no column of runs stays whole."""
    return {
        name: np.asarray(column)[mask] if np.size(column) == mask.size else column
        for name, column in rows.items()
    }
