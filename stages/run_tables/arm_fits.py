"""The fits that a comparison of arms is drawn from: the law, the next-best law, and the law with
exponents of their own by arm.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from stages.laws.choosing.averaged import Prediction, mixture
from stages.laws.choosing.bootstrap import Bootstrap, bootstrap
from stages.laws.choosing.choose import Choice, choose_law, error_text
from stages.laws.choosing.folds import folds
from stages.laws.fitting.fit import Fit
from stages.laws.fitting.sharing import freed, separate
from stages.laws.fitting.variant import Variant, with_variants
from stages.laws.interface.law import Law
from stages.run_tables.candidates import N_STARTS, candidates


@dataclass(frozen=True)
class Fitted:
    """What a comparison is drawn from: the law (for a choice the mixture of its candidates), the
    next-best law, the law with own exponents by arm.
    """

    boot: Prediction
    runner_up: Bootstrap | None
    own_exponents: Bootstrap | None
    reason: str


def fitted_arms(
    law: str,
    rows: dict[str, np.ndarray],
    cluster: str | None,
    n_draws: int,
    share: str = "auto",
    seed: int = 0,
) -> Fitted:
    """Fit the law, or choose one, with the parameters that `share` leaves separate by arm (sharing.py)."""
    laws = candidates(law, rows)
    clusters = cluster or ()
    refits = partial(bootstrap, clusters=clusters, n_draws=n_draws, seed=seed)
    judged = None
    if _can_hold_out(rows):
        others = (
            []
            if law == "auto"
            else [other for other in candidates("auto", rows) if other.name != law]
        )
        judged = choose_law(
            with_variants(laws) if law == "auto" else [*laws, *others],
            rows,
            by_arm=lambda a_law: separate(a_law, share),
            n_starts=N_STARTS,
            delta=None,
            seed=seed,
        )
    boot: Prediction
    if law == "auto" and judged:
        variant, rival, reason = judged.variant, judged.runner_up, judged.reason
        boot = mixture(judged, rows, clusters=clusters, n_draws=n_draws, seed=seed)
    else:
        variant = Variant(laws[0])
        boot = refits(
            variant.fit(rows, by_arm=separate(laws[0], share), delta=None, seed=seed),
            rows,
        )
        rival, reason = _as_asked(laws[0], judged, law == "auto")
        # own exponents are asked of the law that predicts best
        variant = judged.variant if judged else variant
    runner_up = refits(rival, rows) if rival else None
    free = _own_exponents(variant, rows, by_arm=separate(variant.law, share), seed=seed)
    return Fitted(
        boot,
        runner_up=runner_up,
        own_exponents=refits(free, rows) if free else None,
        reason=reason,
    )


def _as_asked(law: Law, judged: Choice | None, auto: bool) -> tuple[Fit | None, str]:
    """The rival of a law that was not chosen, and why it is used: the law that predicts held-out
    runs best, else the next-best.
    """
    if judged is None:
        return None, f"{law.name}: " + (
            "too few compute budgets to hold out the largest and choose a law"
            if auto
            else "asked for"
        )
    if judged.fit.law.name == law.name:
        return judged.runner_up, f"{law.name}: asked for"
    error = {score.law: score.mape for score in judged.ranking}
    best = judged.fit.law.name
    own = error_text(error[law.name]) if law.name in error else "no answer"
    less = error.get(law.name, np.inf) > error[best]
    return (
        judged.fit,
        f"{law.name}: asked for, though {best}"
        f" {'errs less on' if less else 'has more weight by'} held-out runs"
        f" ({error_text(error[best])} against {own})",
    )


def _can_hold_out(rows: dict[str, np.ndarray]) -> bool:
    return bool(folds(rows))


def _own_exponents(
    variant: Variant,
    rows: dict[str, np.ndarray],
    by_arm: tuple[str, ...],
    seed: int,
) -> Fit | None:
    """The same law with the exponents of the arms' amplitudes separate too; None where they are, or
    where an arm has too few runs for it.
    """
    free = freed(variant.law, by_arm)
    fewest = min(np.unique(rows["arm"], return_counts=True)[1])
    if set(free) == set(by_arm) or fewest < len(free) + 2:
        return None
    return variant.fit(rows, by_arm=free, delta=None, seed=seed, identify=False)
