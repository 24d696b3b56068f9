"""Which law to trust: each candidate is fitted below the largest compute and judged on what it says above it.

A law that fits best where the data are is not the one that extrapolates best, so in-sample error plays no
part. The held-out runs are few by nature; when they cannot tell two laws apart the smaller one is taken, and
the reason says so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from stages.foundation.errors import InputError
from stages.laws.choosing.backtest import best_shares, stretch, surprise
from stages.laws.choosing.bootstrap import bootstrap
from stages.laws.choosing.cuts import cuts, largest_rungs
from stages.laws.fitting.fit import Fit
from stages.laws.fitting.identify import effective_unknowns
from stages.laws.fitting.variant import Variant
from stages.laws.interface import table
from stages.laws.interface.law import Law
from stages.laws.interface.table import run_flops

MIN_TO_TRIM = 8  # assumed: of fewer errors a quarter is no sample
MIN_SHARE = 0.05  # ours: a candidate that is best less often than this would be too few draws of a mixture
# assumed: errors that differ by more than a tenth are no tie, however noisy
TIE_SHARE = 0.1


@dataclass(frozen=True)
class Score:
    """One candidate by the name of its variant. n_unknowns counts what the runs, not the priors,
    settle. `typical`, the absolute log error that ranks, may leave out the best and worst quarter
    of a cut. `criterion` is 2 n log(mean absolute log residual) + n_unknowns log n of the runs
    below. Errors are of the held-out runs, relative (mape, bias) or in the unit of value (rmse).
    surprise: of each cut, backtest.py.
    """

    law: str
    n_unknowns: float
    mape: float
    rmse: float
    bias: float
    coverage: float
    typical: float
    criterion: float
    reason: str
    errors: np.ndarray = field(repr=False)
    surprise: tuple[float, ...] = ()


@dataclass(frozen=True)
class Choice:
    """The law chosen and refitted on all runs, the runner-up likewise (None if it is alone), scores
    best first.

    members: candidates refitted on all runs with the share of re-weightings in which each errs
    least; stretch: how much wider than the refits say the held-out runs lie (backtest.py).
    `mixture` makes intervals of both.
    """

    fit: Fit
    runner_up: Fit | None
    ranking: list[Score]
    refused: dict[str, str]
    n_held_out: int
    held_out_from_flops: float
    reason: str
    warnings: list[dict[str, str]]
    variant: Variant
    runner_up_variant: Variant | None = None
    members: tuple[tuple[Fit, float], ...] = ()
    stretch: float = 1.0


def choose_law(
    candidates: Sequence[Law | Variant],
    rows: table.Rows,
    *,
    held_out: np.ndarray | None = None,
    n_rungs: int = 1,
    n_cuts: int = 1,
    by_arm: Sequence[str] | Callable[[Law], Sequence[str]] | None = None,
    arm_column: str = "arm",
    clusters: str | Sequence[str] = (),
    n_draws: int = 200,
    level: float = 0.9,
    seed: int = 0,
    trim: bool = False,
    **fit_options,
) -> Choice:
    """Rank candidates by extrapolation and refit the winner on all rows.

    candidates: laws, or variants with priors and weights (variant.py). held_out: True for runs to
    predict, (runs,); None takes the largest compute budgets; with n_cuts > 1 the error is a mean
    over cuts by compute and by model size (`cuts`). trim: leave out the best and worst quarter of
    errors, for tables with diverged runs; not where arms are compared, since the worst may be one
    whole arm. by_arm: as in fit_law; None separates each law's own arm_parameters if the table has
    more than one arm, () shares everything, a function says it of each law (sharing.py).

    >>> from stages.laws import get_law
    >>> rows = table.example_runs()
    >>> choice = choose_law([get_law("chinchilla"), get_law("power_floor_tokens")], rows)
    >>> choice.fit.law.name
    'chinchilla'
    """
    helds = (
        [np.asarray(held_out, bool)]
        if held_out is not None
        else (
            cuts(rows, n_cuts)
            if n_cuts > 1
            else [largest_rungs(run_flops(rows), n_rungs)]
        )
    )
    rows = (
        {**rows, "flops": run_flops(rows)}
        if "flops" in rows or "n_params" in rows
        else rows
    )
    variants = [c if isinstance(c, Variant) else Variant(c) for c in candidates]
    options = {"arm_column": arm_column, "seed": seed, **fit_options}
    scores, refused = [], {}
    for variant in variants:
        try:
            separate = _separate(variant.law, rows, by_arm, arm_column)
            parts = [
                _score(
                    variant,
                    rows,
                    held,
                    separate,
                    options,
                    clusters,
                    n_draws,
                    level,
                    trim,
                )
                for held in helds
            ]
            scores.append(_joined(variant.name, parts))
        except InputError as refusal:
            refused[variant.name] = str(refusal)
    if not scores:
        raise InputError(
            "no candidate could be fitted: "
            + "; ".join(f"{name}: {why}" for name, why in refused.items())
        )
    ranking, reason = _rank(scores)
    by_name = {variant.name: variant for variant in variants}
    best = [by_name[s.law] for s in ranking[:1]] + [
        by_name[s.law]
        for s in ranking[1:]
        if by_name[s.law].law.name != by_name[ranking[0].law].law.name
    ][:1]

    def refit(variant):
        return variant.fit(
            rows, by_arm=_separate(variant.law, rows, by_arm, arm_column), **options
        )

    fits = [refit(v) for v in best]
    n_held = int(helds[0].sum())
    return Choice(
        fits[0],
        fits[1] if len(fits) > 1 else None,
        ranking,
        refused,
        n_held,
        float(run_flops(rows)[helds[0]].min()) if held_out is None else float("nan"),
        reason,
        _notes(n_held, ranking, level),
        best[0],
        best[1] if len(best) > 1 else None,
        *_backtested(
            ranking,
            helds,
            by_name,
            dict(zip((v.name for v in best), fits, strict=True)),
            refit,
        ),
    )


def _backtested(
    ranking, helds, by_name, done, refit
) -> tuple[tuple[tuple[Fit, float], ...], float]:
    """The members of a mixture, the chosen law first, and its stretch."""
    shares = best_shares(
        [score.errors for score in ranking], [int(held.sum()) for held in helds]
    )
    kept = {
        score.law: share
        for score, share in zip(ranking, shares, strict=True)
        if share >= MIN_SHARE or score is ranking[0]
    }
    total = sum(kept.values())
    by_cut = (
        sum(
            kept[score.law] * np.array(score.surprise)
            for score in ranking
            if score.law in kept
        )
        / total
    )
    return tuple(
        (done.get(name) or refit(by_name[name]), share / total)
        for name, share in kept.items()
    ), stretch(by_cut)


def _where(rows, mask, n):
    return {
        name: np.asarray(column)[mask] if np.size(column) == n else column
        for name, column in rows.items()
    }


def _separate(law, rows, by_arm, arm_column):
    if by_arm is not None:
        return tuple(by_arm(law) if callable(by_arm) else by_arm)
    several = (
        arm_column in rows
        and np.unique(np.asarray(rows[arm_column]).astype(str)).size > 1
    )
    return law.arm_parameters if several else ()


def _score(
    variant, rows, held, separate, options, clusters, n_draws, level, trim
) -> Score:
    """Error of one candidate on the runs of one cut, fitted to the others."""
    below, above = _where(rows, ~held, held.size), _where(rows, held, held.size)
    fit = variant.fit(below, by_arm=separate, identify=False, **options)
    observed, predicted = np.asarray(above["value"], float), fit.predict(above)
    boot = bootstrap(
        fit, below, clusters=clusters, n_draws=n_draws, seed=options["seed"]
    )
    low, high = boot.interval(above, level=level, new_run=True)
    relative, errors = predicted / observed - 1, np.abs(np.log(predicted / observed))
    return Score(
        variant.name,
        effective_unknowns(fit.problem, fit.theta, fit.frozen),
        float(np.mean(np.abs(relative))),
        float(np.sqrt(np.mean((predicted - observed) ** 2))),
        float(np.mean(relative)),
        float(np.mean((low <= observed) & (observed <= high))),
        midmean(errors) if trim else float(errors.mean()),
        criterion(fit),
        "",
        errors,
        (surprise(boot, above),),
    )


def criterion(fit: Fit) -> float:
    """Schwarz's criterion for absolute log residuals (cited: Schwarz 1978): smaller is a better fit
    for its unknowns.
    """
    problem = fit.problem
    size = float(
        np.mean(np.abs(np.log(problem.values(fit.theta[None])[0] / problem.observed)))
    )
    n = problem.observed.size
    return 2 * n * np.log(max(size, 1e-12)) + effective_unknowns(
        problem, fit.theta, fit.frozen
    ) * np.log(n)


def midmean(errors: np.ndarray) -> float:
    """Mean of the middle half from MIN_TO_TRIM errors on, so that a few diverged runs do not choose
    the law; else the mean.
    """
    cut = errors.size // 4 if errors.size >= MIN_TO_TRIM else 0
    return float(np.sort(errors)[cut : errors.size - cut].mean())


def _joined(name: str, parts: list[Score]) -> Score:
    """The scores of all cuts as one: means over cuts, so that a cut of few large runs counts as much as one of many."""
    means = {
        key: float(np.mean([getattr(part, key) for part in parts]))
        for key in (
            "n_unknowns",
            "mape",
            "rmse",
            "bias",
            "coverage",
            "typical",
            "criterion",
        )
    }
    return Score(
        law=name,
        reason="",
        errors=np.concatenate([part.errors for part in parts]),
        surprise=sum((part.surprise for part in parts), ()),
        **means,
    )


def _rank(scores: list[Score]) -> tuple[list[Score], str]:
    """Order by held-out error; laws that the held-out runs cannot tell from the best go by how well
    they fit the rest for their unknowns.
    """
    by_error = sorted(scores, key=lambda s: (s.typical, s.n_unknowns))
    best = by_error[0]
    tied = [s for s in by_error if _indistinguishable(s, best)]
    tied.sort(key=lambda s: s.criterion)
    ranking = [
        _with_reason(s, best, s in tied)
        for s in tied + [s for s in by_error if s not in tied]
    ]
    first = ranking[0]
    if len(tied) == 1:
        others = (
            f"; next {ranking[1].law}, {ranking[1].mape:.2%}"
            if len(ranking) > 1
            else "; no other candidate could be fitted"
        )
        return ranking, f"{first.law}: held-out error {first.mape:.2%}{others}"
    return (
        ranking,
        (
            f"{first.law}: held-out error {first.mape:.2%}, not told apart from"
            f" {', '.join(s.law for s in ranking[1 : len(tied)])} by"
            f" {first.errors.size} runs; it fits the rest best for its number of"
            f" unknowns ({first.n_unknowns:.2g})"
        ),
    )


def _indistinguishable(score: Score, best: Score) -> bool:
    """Less than TIE_SHARE worse, and within one standard error of the paired difference in absolute
    log error if there are three runs.
    """
    difference = score.errors - best.errors
    if score.typical > (1 + TIE_SHARE) * best.typical or difference.size < 3:
        return score.typical <= (1 + TIE_SHARE) * best.typical
    return float(difference.mean()) <= float(
        difference.std(ddof=1) / np.sqrt(difference.size)
    )


def _with_reason(score: Score, best: Score, tied: bool) -> Score:
    worse = (
        "lowest held-out error"
        if score is best
        else f"held-out error {score.mape:.2%} against {best.mape:.2%}"
    )
    why = worse + (
        ", not told apart from the best" if tied and score is not best else ""
    )
    return Score(**{**score.__dict__, "reason": why})


def _notes(n_held_out, ranking, level):
    """Coded warnings about the choice."""
    notes = []
    if n_held_out < 8:
        notes.append(
            table.note(
                "few_held_out",
                "warning",
                f"the choice rests on {n_held_out} held-out runs; a coverage or an"
                " error of so few is a rough figure",
            )
        )
    if ranking[0].coverage < level - 0.3:
        notes.append(
            table.note(
                "held_out_outside",
                "warning",
                f"only {ranking[0].coverage:.0%} of the held-out runs lie in their"
                f" {level:.0%} intervals: the law is off by more than its interval"
                " says",
            )
        )
    return notes
