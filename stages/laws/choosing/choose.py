"""Which law to trust: each candidate is fitted below the largest compute and judged on what it says above it.

A law that fits best where the data are is not the one that extrapolates best, so in-sample error plays no
part. The held-out runs are few by nature; when they cannot tell two laws apart the smaller one is taken, and
the reason says so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

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
    trial = Trial(
        rows=_with_flops(rows),
        helds=_helds(rows, held_out, n_rungs=n_rungs, n_cuts=n_cuts),
        by_arm=by_arm,
        arm_column=arm_column,
        clusters=clusters,
        n_draws=n_draws,
        level=level,
        trim=trim,
        options={"arm_column": arm_column, "seed": seed, **fit_options},
    )
    variants = [c if isinstance(c, Variant) else Variant(c) for c in candidates]
    scores, refused = _scored(variants, trial)
    ranking, reason = _rank(scores)
    by_name = {variant.name: variant for variant in variants}
    first, second = _first_of_two_laws([by_name[score.law] for score in ranking])
    fit = trial.refit(first)
    runner_up = None if second is None else trial.refit(second)
    done = {first.name: fit} | ({} if second is None else {second.name: runner_up})
    shares, by_cut = _backtested(ranking, trial.helds)
    members = [
        (done.get(name) or trial.refit(by_name[name]), share)
        for name, share in shares.items()
    ]
    return Choice(
        fit=fit,
        runner_up=runner_up,
        ranking=ranking,
        refused=refused,
        n_held_out=trial.n_held_out,
        held_out_from_flops=trial.least_flops() if held_out is None else float("nan"),
        reason=reason,
        warnings=_notes(trial.n_held_out, ranking, level),
        variant=first,
        runner_up_variant=second,
        members=tuple(members),
        stretch=stretch(by_cut),
    )


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What every candidate is put to: the rows, the runs of each cut to predict, and how fits are made."""

    rows: table.Rows
    helds: list[np.ndarray]
    by_arm: Sequence[str] | Callable[[Law], Sequence[str]] | None
    arm_column: str
    clusters: str | Sequence[str]
    n_draws: int
    level: float
    trim: bool
    options: dict[str, Any]

    @property
    def n_held_out(self) -> int:
        """Runs of the first cut."""
        return int(self.helds[0].sum())

    def least_flops(self) -> float:
        """Of the runs of the first cut."""
        return float(run_flops(self.rows)[self.helds[0]].min())

    def separate(self, law: Law) -> tuple[str, ...]:
        """The parameters that each arm has for itself."""
        if self.by_arm is not None:
            return tuple(self.by_arm(law) if callable(self.by_arm) else self.by_arm)
        if self.arm_column not in self.rows:
            return ()
        arms = np.unique(np.asarray(self.rows[self.arm_column]).astype(str))
        return law.arm_parameters if arms.size > 1 else ()

    def refit(self, variant: Variant) -> Fit:
        """The candidate on all rows."""
        separate = self.separate(variant.law)
        return variant.fit(self.rows, by_arm=separate, **self.options)

    def score(self, variant: Variant, held: np.ndarray) -> Score:
        """Error of one candidate on the runs of one cut, fitted to the others."""
        below = _where(self.rows, ~held)
        above = _where(self.rows, held)
        fit = variant.fit(
            below, by_arm=self.separate(variant.law), identify=False, **self.options
        )
        boot = bootstrap(
            fit,
            below,
            clusters=self.clusters,
            n_draws=self.n_draws,
            seed=self.options["seed"],
        )
        observed = np.asarray(above["value"], float)
        predicted = fit.predict(above)
        relative = predicted / observed - 1
        errors = np.abs(np.log(predicted / observed))
        low, high = boot.interval(above, level=self.level, new_run=True)
        return Score(
            law=variant.name,
            n_unknowns=effective_unknowns(fit.problem, fit.theta, fit.frozen),
            mape=float(np.mean(np.abs(relative))),
            rmse=float(np.sqrt(np.mean((predicted - observed) ** 2))),
            bias=float(np.mean(relative)),
            coverage=float(np.mean((low <= observed) & (observed <= high))),
            typical=midmean(errors) if self.trim else float(errors.mean()),
            criterion=criterion(fit),
            reason="",
            errors=errors,
            surprise=(surprise(boot, above),),
        )


def _helds(
    rows: table.Rows, held_out: np.ndarray | None, *, n_rungs: int, n_cuts: int
) -> list[np.ndarray]:
    """One mask a cut (runs,): those given, else by compute and size, else the largest budgets."""
    if held_out is not None:
        return [np.asarray(held_out, bool)]
    if n_cuts > 1:
        return cuts(rows, n_cuts)
    return [largest_rungs(run_flops(rows), n_rungs)]


def _with_flops(rows: table.Rows) -> table.Rows:
    """The rows with a column of FLOPs, where they can have one."""
    if "flops" in rows or "n_params" in rows:
        return {**rows, "flops": run_flops(rows)}
    return rows


def _where(rows: table.Rows, mask: np.ndarray) -> table.Rows:
    """The runs of the mask; what is no column of runs stays whole."""
    return {
        name: np.asarray(column)[mask] if np.size(column) == mask.size else column
        for name, column in rows.items()
    }


def _scored(
    variants: Sequence[Variant], trial: Trial
) -> tuple[list[Score], dict[str, str]]:
    """A score over all cuts for each candidate, and why others have none; InputError if all."""
    scores, refused = [], {}
    for variant in variants:
        try:
            parts = [trial.score(variant, held) for held in trial.helds]
        except InputError as refusal:
            refused[variant.name] = str(refusal)
        else:
            scores.append(_joined(variant.name, parts))
    if not scores:
        reasons = "; ".join(f"{name}: {why}" for name, why in refused.items())
        raise InputError(f"no candidate could be fitted: {reasons}")
    return scores, refused


def _first_of_two_laws(
    ranked: Sequence[Variant],
) -> tuple[Variant, Variant | None]:
    """The best variant, and the best of another law."""
    first = ranked[0]
    others = (variant for variant in ranked if variant.law.name != first.law.name)
    return first, next(others, None)


def _backtested(
    ranking: Sequence[Score], helds: Sequence[np.ndarray]
) -> tuple[dict[str, float], np.ndarray]:
    """Shares of the members of a mixture by name, the chosen law first; surprise of each cut under them."""
    errors = [score.errors for score in ranking]
    shares = best_shares(errors, [int(held.sum()) for held in helds])
    kept = [
        (score, share)
        for score, share in zip(ranking, shares, strict=True)
        if share >= MIN_SHARE or score is ranking[0]
    ]
    total = sum(share for _, share in kept)
    by_cut = sum(share * np.array(score.surprise) for score, share in kept) / total
    return {score.law: share / total for score, share in kept}, by_cut


def criterion(fit: Fit) -> float:
    """Schwarz's criterion for absolute log residuals (cited: Schwarz 1978): smaller is a better fit
    for its unknowns.
    """
    problem = fit.problem
    fitted = problem.values(fit.theta[None])[0]
    size = float(np.mean(np.abs(np.log(fitted / problem.observed))))
    unknowns = effective_unknowns(problem, fit.theta, fit.frozen)
    n = problem.observed.size
    return 2 * n * np.log(max(size, 1e-12)) + unknowns * np.log(n)


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
    rest = [s for s in by_error if s not in tied]
    tied.sort(key=lambda s: s.criterion)
    ranking = [_with_reason(s, best, s in tied) for s in [*tied, *rest]]
    return ranking, _why_first(ranking, len(tied))


def _why_first(ranking: list[Score], n_tied: int) -> str:
    """The choice in one line; the first `n_tied` of the ranking are not told apart."""
    first = ranking[0]
    said = f"{first.law}: held-out error {first.mape:.2%}"
    if n_tied > 1:
        others = ", ".join(score.law for score in ranking[1:n_tied])
        return (
            f"{said}, not told apart from {others} by {first.errors.size} runs; it fits"
            f" the rest best for its number of unknowns ({first.n_unknowns:.2g})"
        )
    if len(ranking) > 1:
        return f"{said}; next {ranking[1].law}, {ranking[1].mape:.2%}"
    return f"{said}; no other candidate could be fitted"


def _indistinguishable(score: Score, best: Score) -> bool:
    """Less than TIE_SHARE worse, and within one standard error of the paired difference in absolute
    log error if there are three runs.
    """
    if score.typical > (1 + TIE_SHARE) * best.typical:
        return False
    difference = score.errors - best.errors
    if difference.size < 3:
        return True
    standard_error = difference.std(ddof=1) / np.sqrt(difference.size)
    return float(difference.mean()) <= float(standard_error)


def _with_reason(score: Score, best: Score, tied: bool) -> Score:
    if score is best:
        return replace(score, reason="lowest held-out error")
    why = f"held-out error {score.mape:.2%} against {best.mape:.2%}"
    return replace(
        score, reason=why + (", not told apart from the best" if tied else "")
    )


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
