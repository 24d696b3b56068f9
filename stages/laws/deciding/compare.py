"""Which arm is best at a target budget, how sure that is, and whether it may be called decided.

Statuses: `decided` (the best arm is best in enough draws, also under rival readings of the runs, and its lead exceeds
what the study can detect), `tie` (the lead is inside a stated tolerance with enough precision), `extrapolating` (the
budget is too far above the measured compute, or a rival names another arm), else `insufficient_evidence`. Rivals are
the next-best law and the same law with exponents of their own in every arm: both describe the runs about as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from stages.foundation.errors import InputError
from stages.foundation.one_line import share_text, told_apart
from stages.laws.choosing.averaged import Prediction
from stages.laws.choosing.bootstrap import equal_tailed
from stages.laws.deciding.path import ArmColumns, Path, arm_path, extrapolation_decades
from stages.laws.interface import table

# measured: seed noise of small proxies is about 0.5 % of the loss (toy study), a smaller lead has
# no use
TIE_SHARE = 0.005
NEXT_LAW, OWN_EXPONENTS = "the next-best law", "exponents of their own by arm"


@dataclass(frozen=True)
class Decision:
    """One budget. values: arm -> (value, low, high); lead: (best minus second in value units, low,
    high), negative is better. p_best_rivals: rival reading -> how often `best` is best under it.
    code: what the runs say against the law here (objections.py), else empty.
    """

    flops: float
    best: str
    second: str | None
    status: str
    reason: str
    values: dict[str, tuple[float, float, float]]
    p_best: dict[str, float]
    regret: dict[str, float]
    lead: tuple[float, float, float]
    n_params: dict[str, float]
    n_tokens: dict[str, float]
    extrapolation_decades: float
    runner_up_best: str | None
    tolerance: float
    smallest_detectable_effect: float | None
    p_best_rivals: dict[str, float] = field(default_factory=dict)
    code: str = ""


@dataclass(frozen=True)
class Detectable:
    """What an A/A comparison says about the study, in the unit of value. half_width: of the
    interval of a mean difference.
    """

    effect: float
    half_width: float
    sd: float
    n_pairs: int


def compare(
    boot: Prediction,
    flops: Sequence[float],
    arms: ArmColumns,
    *,
    n_params: float | None = None,
    n_params_range: tuple[float, float] | None = None,
    level: float = 0.9,
    decide_at: float = 0.9,
    smallest_effect: float | None = None,
    tolerance: float | None = None,
    max_decades: float = 1.0,
    runner_up: Prediction | None = None,
    own_exponents: Prediction | None = None,
) -> list[Decision]:
    """Decide between arms at each budget.

    smallest_effect: the lead that equal arms show by chance (from control arms), in value units.
    Without it the best arm must be best in a share 1 - (1 - decide_at) / 2 of the draws, because
    looking at both arms doubles the chance of a false lead. tolerance: a lead below it is a tie;
    default the smallest effect, else 0.5 % of the value. Rivals, under which the best arm must be
    best in a share decide_at: runner_up, the bootstrap of the next-best law; own_exponents, of the
    same law with those separate by arm.

    >>> from stages.laws import get_law
    >>> from stages.laws.choosing.bootstrap import bootstrap
    >>> from stages.laws.fitting.fit import fit_law
    >>> from stages.laws.interface.table import example_runs
    >>> rows = example_runs()
    >>> fit = fit_law(get_law("chinchilla"), rows, by_arm=("E", "B"))
    >>> boot = bootstrap(fit, rows, clusters="pool_draw", n_draws=200)
    >>> [decision] = compare(boot, [1e21], {"strict": {}, "loose": {}})
    >>> decision.best, decision.status
    ('loose', 'decided')
    """
    path = arm_path(boot, flops, arms, n_params=n_params, n_params_range=n_params_range)
    others = {
        name: arm_path(
            rival, flops, arms, n_params=n_params, n_params_range=n_params_range
        )
        for name, rival in ((NEXT_LAW, runner_up), (OWN_EXPONENTS, own_exponents))
        if rival is not None
    }
    decades = extrapolation_decades(boot.fit, path)
    rules = {
        "level": level,
        "decide_at": decide_at,
        "smallest_effect": smallest_effect,
        "tolerance": tolerance,
        "max_decades": max_decades,
    }
    return [
        _decide(
            path,
            i,
            decades=float(decades[i]),
            rivals={name: _standing(other, i) for name, other in others.items()},
            rules=rules,
        )
        for i in range(path.flops.size)
    ]


def _standing(path: Path, i: int) -> tuple[str, dict[str, float]]:
    """Best arm at one budget of a path, and how often each arm is best."""
    names = list(path.values)
    winner = np.argmin([path.draws[name][:, i] for name in names], axis=0)
    return min(names, key=lambda name: path.values[name][i]), dict(
        zip(names, np.bincount(winner, minlength=len(names)) / winner.size, strict=True)
    )


def _decide(path, i, decades, rivals, rules) -> Decision:
    """One budget of a path."""
    names = list(path.values)
    point = np.array([path.values[name][i] for name in names])
    # (draws, arms)
    draws = np.stack([path.draws[name][:, i] for name in names], axis=1)
    order = np.argsort(point)
    best, second = order[0], (order[1] if len(names) > 1 else None)
    p_best = np.bincount(draws.argmin(axis=1), minlength=len(names)) / len(draws)
    regret = np.mean(draws - draws.min(axis=1, keepdims=True), axis=0)
    tolerance = (
        rules["tolerance"] or rules["smallest_effect"] or TIE_SHARE * float(point[best])
    )
    lead = (0.0, 0.0, 0.0)
    if second is not None:
        ends = equal_tailed(draws[:, best] - draws[:, second], rules["level"])
        lead = (float(point[best] - point[second]), float(ends[0]), float(ends[1]))
    status, reason = _status(
        names[best],
        None if second is None else names[second],
        p_best=p_best[best],
        lead=lead,
        tolerance=tolerance,
        decades=decades,
        rivals=rivals,
        rules=rules,
    )
    low, high = equal_tailed(draws, rules["level"])
    return Decision(
        flops=float(path.flops[i]),
        best=names[best],
        second=None if second is None else names[second],
        status=status,
        reason=reason,
        values={
            name: (float(point[j]), float(low[j]), float(high[j]))
            for j, name in enumerate(names)
        },
        p_best=dict(zip(names, map(float, p_best), strict=True)),
        regret=dict(zip(names, map(float, regret), strict=True)),
        lead=lead,
        n_params={name: float(path.n_params[name][i]) for name in names},
        n_tokens={name: float(path.n_tokens[name][i]) for name in names},
        extrapolation_decades=decades,
        runner_up_best=rivals[NEXT_LAW][0] if NEXT_LAW in rivals else None,
        tolerance=float(tolerance),
        smallest_detectable_effect=rules["smallest_effect"],
        p_best_rivals={name: float(p[names[best]]) for name, (_, p) in rivals.items()},
    )


def _status(
    best, second, p_best, lead, tolerance, decades, rivals, rules
) -> tuple[str, str]:
    """Status and the sentence that gives its reason."""
    if second is None:
        return "insufficient_evidence", f"{best} is the only arm"
    if decades > rules["max_decades"]:
        return (
            "extrapolating",
            (
                f"the budget is {told_apart(decades, rules['max_decades'], digits=1)}"
                " decades above the largest measured run,"
                f" more than {rules['max_decades']:g}"
            ),
        )
    if -tolerance < lead[1] and lead[2] < tolerance:
        return (
            "tie",
            (
                f"{best} and {second} differ by {lead[0]:.3g} [{lead[1]:.3g},"
                f" {lead[2]:.3g}], inside the tolerance of {tolerance:.3g}"
            ),
        )
    effect = rules["smallest_effect"]
    needed = (
        rules["decide_at"] if effect is not None else 1 - (1 - rules["decide_at"]) / 2
    )
    if p_best < needed:
        return (
            "insufficient_evidence",
            f"{best} is best in {share_text(p_best, needed)} of the draws, less than"
            f" {share_text(needed)}",
        )
    if effect is not None and abs(lead[0]) <= effect:
        return (
            "insufficient_evidence",
            (
                f"{best} leads by {abs(lead[0]):.3g}, not more than the {effect:.3g}"
                " that equal arms differ by here"
            ),
        )
    for name, (arm, p) in rivals.items():
        if arm != best:
            return (
                "extrapolating",
                f"{best} leads under this law but {arm} under {name}",
            )
        if p[best] < rules["decide_at"]:
            return (
                "insufficient_evidence",
                (
                    f"{best} is best in only {share_text(p[best], rules['decide_at'])} of the"
                    f" draws under {name},"
                    f" less than {share_text(rules['decide_at'])}"
                ),
            )
    control = (
        f", more than the {effect:.3g} that equal arms differ by here"
        if effect is not None
        else "; no control arm says what lead is real"
    )
    return (
        "decided",
        (
            f"{best} is best in {share_text(p_best)} of the draws and leads {second} by"
            f" {abs(lead[0]):.3g}{control}"
        ),
    )


def paired_differences(
    rows: table.Rows,
    arm: str,
    control: str,
    *,
    arm_column: str = "arm",
    on: Sequence[str] = ("n_params", "n_tokens_seen", "pool_draw"),
) -> np.ndarray:
    """value(arm) - value(control) for runs that agree in the columns `on`, averaged over repeats, (pairs,)."""
    n = table.n_rows(rows)
    names = table.arm_names(rows, arm_column, n)
    keys = [
        tuple(np.asarray(rows[column])[i] for column in on if column in rows)
        for i in range(n)
    ]
    values = table.number_column(rows, "value", n)
    groups: dict[str, dict[tuple, list[float]]] = {arm: {}, control: {}}
    for name, key, value in zip(names, keys, values, strict=True):
        if name in groups:
            groups[name].setdefault(key, []).append(value)
    shared = [key for key in groups[arm] if key in groups[control]]
    if not shared:
        raise InputError(
            f"no run of '{arm}' agrees with a run of '{control}' in {', '.join(on)};"
            " train them on the same design"
        )
    return np.array(
        [np.mean(groups[arm][key]) - np.mean(groups[control][key]) for key in shared]
    )


def smallest_detectable_effect(
    differences: np.ndarray,
    *,
    n_pairs: int | None = None,
    alpha: float = 0.05,
    power: float = 0.9,
) -> Detectable:
    """Smallest true difference of two arms that the study finds with this power, from pairs that
    differ by chance alone.

    differences: control minus its twin, (pairs,), one an independent draw (average the budgets of a
    draw first). n_pairs: pairs that the real comparison has, default the same number. Two-sided
    test at alpha.
    """
    from scipy.special import (
        stdtrit,
    )  # here, because it doubles the time to import this package

    differences = np.asarray(differences, float)
    if differences.size < 2:
        raise InputError(
            f"{differences.size} control pair says nothing about chance; train the"
            " control arms on at least two draws"
        )
    freedom = differences.size - 1
    sd = float(differences.std(ddof=1))
    error = sd / np.sqrt(n_pairs or differences.size)
    half_width = stdtrit(freedom, 1 - alpha / 2) * error
    return Detectable(
        float(half_width + stdtrit(freedom, power) * error),
        half_width=float(half_width),
        sd=sd,
        n_pairs=n_pairs or differences.size,
    )
