"""What the runs themselves say against a verdict: coded reasons, each with its number, why nothing is decided.

A law that fits well may still be used where its runs speak against it. Looked for, in this order:
`runs_contradict`: runs at the budget put the second arm first; `turns`: an arm's values fall and rise again within
the table while the law knows no reason to; `repeats_beyond`: an arm would repeat its data more often than any run did;
`mixture_beyond`: an arm's mixture lies outside of those trained.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from stages.laws.deciding.compare import Decision
from stages.laws.deciding.hull import SHARE, beyond_mixtures
from stages.laws.deciding.path import ArmColumns
from stages.laws.interface import table

NEAR = float(np.log(1.5))  # assumed: runs within a factor 1.5 are at the budget
MIN_BUDGETS = 5  # assumed: fewer points make a turn by chance
TWICE = (
    2.0  # ours: a monotone curve that leaves twice the squares of a parabola is none
)
NOISES = 3.0  # ours: a rise of three deviations from the parabola is no noise
RISING = (
    0.7  # assumed: a rank correlation of value with compute that no falling value has
)
REPEATS_SLACK = 1.5  # ours: as far beyond the epochs of the runs as a budget may lie
# assumed: the shares that a run drew differ from those of its arm by less
SHARES_SLACK = 0.02
DOUBTED = ("decided", "tie")


@dataclass(frozen=True)
class Objection:
    """Why nothing is decided: a code for programs, a status, one sentence."""

    code: str
    status: str
    message: str


def withheld(
    decision: Decision, rows: table.Rows, columns: ArmColumns, arm_column: str = "arm"
) -> Decision:
    """The decision, or its status and reason changed where the runs speak against it.

    rows: the runs that were fitted; columns: arm -> its fixed columns, as in compare.
    """
    if decision.status not in DOUBTED or decision.second is None:
        return decision
    found = (
        _contradicted(decision, rows, arm_column)
        or _turning_arm(decision, rows, arm_column)
        or _beyond_repeats(decision, rows, columns)
        or _beyond_mixtures(decision, rows, columns)
    )
    if found is None:
        return decision
    return replace(decision, status=found.status, reason=found.message, code=found.code)


def turn(flops: np.ndarray, values: np.ndarray) -> float | None:
    """Compute at which a curve stops falling and rises, in FLOPs; None where a falling curve tells it as well.

    flops, values: (runs,); runs of one budget are averaged. A parabola in log value over log compute must have its
    lowest point inside the runs, leave less than half of the squares of the best falling curve, and the last budget
    must lie above the lowest by more than noise.
    """
    from scipy.optimize import isotonic_regression  # here: it is slow to import

    budgets, group = np.unique(flops, return_inverse=True)
    if budgets.size < MIN_BUDGETS:
        return None
    x = np.log(budgets)
    y = np.bincount(group, np.log(values)) / np.bincount(group)
    bend, slope, level = np.polyfit(x - x.mean(), y, 2)
    if bend <= 0:
        return None
    lowest = x.mean() - slope / (2 * bend)
    if not x[0] < lowest < x[-1]:
        return None
    squares = np.sum((np.polyval([bend, slope, level], x - x.mean()) - y) ** 2)
    falling = isotonic_regression(y, increasing=False).x
    noise = np.sqrt(squares / max(budgets.size - 3, 1))
    rises = y[-1] - y.min() > NOISES * noise
    worse = np.sum((falling - y) ** 2) > TWICE * squares
    return float(np.exp(lowest)) if rises and worse else None


def turning_notes(rows: table.Rows) -> list[dict[str, str]]:
    """A coded warning where the values of a table turn; none where repeats may be the reason."""
    if not {"flops", "n_params"} & set(rows):
        return []
    own = np.ones(np.size(rows["value"]), bool)
    at = _turn_of(rows, own, None)
    if at is None:
        return _rising_notes(rows)
    return [
        table.note(
            "not_monotone",
            "warning",
            f"the value falls up to {at:.2g} FLOPs and rises beyond: laws fall for ever, so"
            " nothing above that is to be believed; look for the cause, or fit below it",
        )
    ]


def _rising_notes(rows: table.Rows) -> list[dict[str, str]]:
    """A coded warning where the value grows with compute: a score, or a loss that is not one of these laws."""
    flops, values = table.run_flops(rows), np.asarray(rows["value"], float)
    if np.unique(flops).size < MIN_BUDGETS or _repeats(
        rows, np.ones(values.size, bool)
    ):
        return []
    by_flops, by_value = (np.argsort(np.argsort(part)) for part in (flops, values))
    if np.corrcoef(by_flops, by_value)[0, 1] < RISING:
        return []
    return [
        table.note(
            "rises",
            "warning",
            "the value grows with compute, and most laws here only fall: map a loss or an"
            " error (1 - score), or name a law for scores such as log_linear",
        )
    ]


def _contradicted(decision, rows, arm_column: str) -> Objection | None:
    """Runs at the budget whose means put the second arm before the best."""
    best, second = (
        _near(decision, rows, arm, arm_column)
        for arm in (decision.best, decision.second)
    )
    if not best.size or not second.size:
        return None
    ahead = float(best.mean() - second.mean())
    spread = sum(
        part.var(ddof=1) / part.size for part in (best, second) if part.size > 1
    )
    if ahead <= max(2 * np.sqrt(spread), decision.tolerance):
        return None
    return Objection(
        "runs_contradict",
        status="insufficient_evidence",
        message=(
            f"the law puts {decision.best} first, but its runs at this budget measure"
            f" {best.mean():.4g} against {second.mean():.4g} of {decision.second}"
        ),
    )


def _near(decision, rows, arm: str, arm_column: str) -> np.ndarray:
    """Values of an arm's runs at the budget and, where sizes are compared, near the size."""
    own = _arms(rows, arm_column) == arm
    own &= np.abs(np.log(table.run_flops(rows) / decision.flops)) <= NEAR
    size = decision.n_params[arm]
    if "n_params" in rows and np.isfinite(size):
        own &= np.abs(np.log(np.asarray(rows["n_params"], float) / size)) <= NEAR
    return np.asarray(rows["value"], float)[own]


def _turning_arm(decision, rows, arm_column: str) -> Objection | None:
    """One of the two arms whose values turn below the budget."""
    for arm in (decision.best, decision.second):
        own = _arms(rows, arm_column) == arm
        at = _turn_of(rows, own, decision.n_params[arm])
        if at is not None and decision.flops > at:
            return Objection(
                "turns",
                status="insufficient_evidence",
                message=(
                    f"the value of {arm} falls up to {at:.2g} FLOPs and rises beyond,"
                    " which the law does not know; nothing above that is decided"
                ),
            )
    return None


def _turn_of(rows, own: np.ndarray, n_params: float | None) -> float | None:
    """Where the runs of the mask turn, at the size nearest to n_params; None where they repeat their data."""
    if not own.any() or _repeats(rows, own):
        return None
    if "n_params" in rows:
        sizes = np.asarray(rows["n_params"], float)
        near = np.median(sizes[own]) if n_params is None else n_params
        nearest = sizes[own][np.argmin(np.abs(np.log(sizes[own] / near)))]
        own = own & (sizes == nearest)
    return turn(table.run_flops(rows)[own], np.asarray(rows["value"], float)[own])


def _repeats(rows, own: np.ndarray) -> bool:
    """Whether a run of the mask repeats its data, which may be why its value rises."""
    if not {"n_tokens_seen", "n_tokens_unique"} <= set(rows):
        return False
    epochs = np.asarray(rows["n_tokens_seen"], float) / table.unique_tokens(rows)
    return bool(np.any(np.broadcast_to(epochs, own.shape)[own] > 1.0 + 1e-3))


def _beyond_repeats(decision, rows, columns: ArmColumns) -> Objection | None:
    """One of the two arms that would repeat its data more often than any run did."""
    if not {"n_tokens_seen", "n_tokens_unique"} <= set(rows):
        return None
    seen = np.asarray(rows["n_tokens_seen"], float)
    trained = float(np.max(seen / table.unique_tokens(rows)))
    for arm in (decision.best, decision.second):
        own: Mapping[str, float] = columns.get(arm, {})
        if "n_tokens_unique" not in own:
            continue
        row = {**own, "n_tokens_seen": decision.n_tokens[arm]}
        epochs = float(decision.n_tokens[arm] / table.unique_tokens(row))
        if epochs > REPEATS_SLACK * max(trained, 1.0):
            return Objection(
                "repeats_beyond",
                status="extrapolating",
                message=(
                    f"{arm} would pass {epochs:.3g} times over its data, and no run more"
                    f" than {trained:.3g} times"
                ),
            )
    return None


def _beyond_mixtures(decision, rows, columns: ArmColumns) -> Objection | None:
    """One of the two arms whose mixture lies outside of those trained."""
    for arm in (decision.best, decision.second):
        own = columns.get(arm, {})
        shares = {name: own[name] for name in own if name.startswith(SHARE)}
        beyond = beyond_mixtures(shares, rows)
        if beyond is not None and beyond[0] > SHARES_SLACK:
            return Objection(
                "mixture_beyond",
                status="extrapolating",
                message=(
                    f"the mixture of {arm} lies outside of those trained:"
                    f" {beyond[0]:.0%} of it would have to move to reach one between runs"
                ),
            )
    return None


def _arms(rows, arm_column: str) -> np.ndarray:
    return np.asarray(rows[arm_column]).astype(str)
