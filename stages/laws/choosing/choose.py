"""Which laws to trust, and how much each: every candidate is fitted below a cut and judged above it.

A law that fits best where the data are is not the one that extrapolates best, so in-sample error plays no part.
The held-out runs are few by nature and cannot single one law out: measured on seven published studies, the law
that errs least on its folds errs 1.43 times the best law in hindsight, the plain mean of all candidates 1.21 times
(docs/LOG.md). So predictions are a weighted mean, with weights in inverse proportion to the error
on the folds, and the law that carries most of the weight is named with its share.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from stages.laws.choosing.candidate import Candidate, fitted_candidates
from stages.laws.choosing.errors import Errors, errors_of
from stages.laws.choosing.folds import Fold, folds
from stages.laws.fitting.fit import Fit
from stages.laws.fitting.identify import effective_unknowns
from stages.laws.fitting.variant import Variant
from stages.laws.interface import table
from stages.laws.interface.law import Law
from stages.laws.interface.table import note

LEAST_ERROR = 5e-4  # ours: errors below .05 % are no better than each other
LEAST_SHARE = 0.01  # ours: a smaller share moves nothing and costs a bootstrap
FEW_HELD_OUT = 8


@dataclass(frozen=True)
class Score:
    """One candidate by the name of its variant, judged on the runs of all folds.

    share: of the weight, 0 to 1. n_unknowns counts what the runs, not the priors, settle. typical: mean
    absolute log error of a fold, geometric mean over folds. mape, bias: relative; rmse: unit of value.
    """

    law: str
    share: float
    n_unknowns: float
    mape: float
    rmse: float
    bias: float
    typical: float
    reason: str


@dataclass(frozen=True)
class Choice:
    """The laws of a prediction. fit: of the law with most weight; runner_up: of the next (None if it is alone).

    members: every candidate that counts, fitted to all runs, with its share. errors: of their weighted mean.
    """

    fit: Fit
    runner_up: Fit | None
    ranking: list[Score]
    refused: dict[str, str]
    n_folds: int
    reason: str
    warnings: list[dict[str, str]]
    variant: Variant
    runner_up_variant: Variant | None
    members: tuple[tuple[Fit, float], ...]
    errors: Errors


def choose_law(
    candidates: Sequence[Law | Variant],
    rows: table.Rows,
    *,
    held_out: np.ndarray | None = None,
    by_arm: Sequence[str] | Callable[[Law], Sequence[str]] | None = None,
    arm_column: str = "arm",
    **start_options,
) -> Choice:
    """Weigh candidates by what they predict beyond the runs they saw, each refitted on all rows.

    candidates: laws, or variants with priors and weights (variant.py). held_out: True for runs to predict,
    (runs,), in place of the folds of folds.py. by_arm: as in fit_law; None separates each law's own
    arm_parameters if the table has more than one arm, () shares everything, a function says it of each law.
    start_options: of start_law.

    >>> from stages.laws import get_law
    >>> rows = table.example_runs()
    >>> choice = choose_law([get_law("chinchilla"), get_law("power_floor_tokens")], rows)
    >>> choice.fit.law.name
    'chinchilla'
    """
    rows = _with_flops(rows)
    cuts = folds(rows) if held_out is None else [Fold("given", np.asarray(held_out))]
    variants = [c if isinstance(c, Variant) else Variant(c) for c in candidates]
    separate = _separate(rows, by_arm, arm_column)
    variants = [each for each in variants if each.compares or not separate(each.law)]
    options = {"arm_column": arm_column, **start_options}
    fitted, refused = fitted_candidates(
        variants, rows, cuts, separate=separate, options=options
    )
    observed = np.log(np.asarray(rows["value"], float))
    typical = np.array([_typical(each, observed, cuts) for each in fitted])
    shares = _shares([each.variant for each in fitted], typical)
    kept = shares >= min(LEAST_SHARE, shares.max())
    fitted = [each for each, keep in zip(fitted, kept, strict=True) if keep]
    typical, shares = typical[kept], shares[kept] / shares[kept].sum()
    scores = [
        _score(each, observed, cuts, share=share, typical=error)
        for each, share, error in zip(fitted, shares, typical, strict=True)
    ]
    first, second = _most_used(fitted, shares)
    order = sorted(range(len(scores)), key=lambda i: -scores[i].share)
    ranking = [scores[i] for i in order]
    winner = _profiled(fitted[first], rows, separate, options)
    members = [
        (winner if i == first else fitted[i].fit, float(shares[i])) for i in order
    ]
    first_in_order = sorted(members, key=lambda pair: pair[0] is not winner)
    errors = errors_of(fitted, shares, rows=rows, cuts=cuts, arm_column=arm_column)
    return Choice(
        fit=winner,
        runner_up=None if second is None else fitted[second].fit,
        ranking=ranking,
        refused=refused,
        n_folds=len(cuts),
        reason=_why(fitted, shares, first=first, n_folds=len(cuts)),
        warnings=_notes(cuts),
        variant=fitted[first].variant,
        runner_up_variant=None if second is None else fitted[second].variant,
        members=tuple(first_in_order),
        errors=errors,
    )


def _with_flops(rows: table.Rows) -> table.Rows:
    """The rows with a column of FLOPs, where they can have one."""
    if "flops" in rows or "n_params" in rows:
        return {**rows, "flops": table.run_flops(rows)}
    return rows


def _separate(
    rows: table.Rows, by_arm, arm_column: str
) -> Callable[[Law], tuple[str, ...]]:
    """The parameters that each arm has for itself, by law."""
    if by_arm is not None:
        return lambda law: tuple(by_arm(law) if callable(by_arm) else by_arm)
    several = (
        arm_column in rows
        and np.unique(np.asarray(rows[arm_column]).astype(str)).size > 1
    )
    return lambda law: law.arm_parameters if several else ()


def _typical(candidate: Candidate, observed: np.ndarray, cuts: Sequence[Fold]) -> float:
    """Geometric mean over folds of the mean absolute log error; 1 without folds."""
    if not cuts:
        return 1.0
    errors = [
        np.mean(np.abs(said[cut.held] - observed[cut.held])) + LEAST_ERROR
        for said, cut in zip(candidate.below, cuts, strict=True)
    ]
    return float(np.exp(np.mean(np.log(errors))))


def _shares(variants: Sequence[Variant], typical: np.ndarray) -> np.ndarray:
    """Weight of each candidate, sum 1: its prior weight over its typical error."""
    before = [each.prior_weight * each.law.prior_weight for each in variants]
    weight = np.array(before) / typical
    return weight / weight.sum()


def _score(
    candidate: Candidate,
    observed: np.ndarray,
    cuts: Sequence[Fold],
    *,
    share: float,
    typical: float,
) -> Score:
    fit = candidate.fit
    held = [
        (said[cut.held], observed[cut.held])
        for said, cut in zip(candidate.below, cuts, strict=True)
    ]
    relative = [np.expm1(np.clip(said - seen, -50, 50)) for said, seen in held]
    missed = [
        part * np.exp(seen) for part, (_, seen) in zip(relative, held, strict=True)
    ]

    def mean(parts: list) -> float:
        return float(np.mean(parts)) if parts else float("nan")

    return Score(
        law=candidate.variant.name,
        share=float(share),
        n_unknowns=effective_unknowns(fit.problem, fit.theta, fit.frozen),
        mape=mean([np.mean(np.abs(part)) for part in relative]),
        rmse=mean([np.sqrt(np.mean(part**2)) for part in missed]),
        bias=mean([np.mean(part) for part in relative]),
        typical=typical,
        reason=f"{share:.0%} of the weight"
        + (
            f"; held-out error {error_text(mean([np.mean(np.abs(part)) for part in relative]))}"
            if cuts
            else ""
        ),
    )


def error_text(error: float) -> str:
    """A mean relative error in words; above the value itself its size says nothing.

    >>> error_text(0.0523), error_text(18147.0)
    ('5.23%', 'over 100%')
    """
    return f"{error:.2%}" if error <= 1 else "over 100%"


def _by_law(fitted: Sequence[Candidate], shares: np.ndarray) -> dict[str, float]:
    """Law -> weight of all of its variants."""
    total: dict[str, float] = defaultdict(float)
    for each, share in zip(fitted, shares, strict=True):
        total[each.variant.law.name] += float(share)
    return dict(total)


def _most_used(
    fitted: Sequence[Candidate], shares: np.ndarray
) -> tuple[int, int | None]:
    """Positions of the heaviest variants of the law with most weight and of the next law; a law of model size
    comes first where there is one, because a plan asks it for sizes.
    """
    total = _by_law(fitted, shares)
    sized = {
        each.variant.law.name
        for each in fitted
        if "n_params" in each.variant.law.variable_names
    }
    laws = sorted(total, key=lambda law: (law not in sized, -total[law]))[:2]
    heaviest = [
        max(
            (i for i, each in enumerate(fitted) if each.variant.law.name == law),
            key=lambda i: shares[i],
        )
        for law in laws
    ]
    return heaviest[0], heaviest[1] if len(heaviest) > 1 else None


def _profiled(candidate: Candidate, rows: table.Rows, separate, options) -> Fit:
    """The fit with its profile, which says what the runs identify."""
    variant = candidate.variant
    fit = variant.fit(rows, by_arm=separate(variant.law), **options)
    return replace(fit, ends=candidate.fit.ends)


def _why(fitted, shares: np.ndarray, *, first: int, n_folds: int) -> str:
    """The choice in one line."""
    total = _by_law(fitted, shares)
    laws = sorted(total, key=lambda law: -total[law])
    said = f"{laws[0]} has {total[laws[0]]:.0%} of the weight"
    if len(laws) > 1:
        said += f" of {len(laws)} laws, {laws[1]} {total[laws[1]]:.0%}"
    if not n_folds:
        return f"{said}; too few runs to hold some out, so all weigh the same"
    return f"{said}, by what they predict beyond {n_folds} cuts"


def _notes(cuts: Sequence[Fold]) -> list[dict[str, str]]:
    """Coded warnings about the choice."""
    n_held = max((int(cut.held.sum()) for cut in cuts), default=0)
    if n_held >= FEW_HELD_OUT:
        return []
    return [
        note(
            "few_held_out",
            "warning",
            f"at most {n_held} runs could be held out at once; the weights of the"
            " laws rest on few runs",
        )
    ]
