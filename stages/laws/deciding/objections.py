"""What the runs themselves say against a verdict: coded reasons, each with its number, why nothing is decided.

A law that fits well may still be used where its runs speak against it. Looked for, in this order:
`runs_contradict`: runs at the budget put the second arm first; `turns`: an arm's values fall and rise again within
the table while the law knows no reason to; `repeats_beyond`: an arm would repeat its data, or a part of it, more
often than any run did, or more rarely than all;
`mixture_beyond`: an arm's mixture lies outside of those trained; `onset`: the budget is above the runs, and an arm's
power law or the lead begins late among them, so that few say how it goes on.
"""

from dataclasses import dataclass, replace

import numpy as np

from stages.laws.deciding.compare import Decision
from stages.laws.deciding.generation import generation_flops
from stages.laws.deciding.hull import SHARE, beyond_mixtures
from stages.laws.deciding.kink import Kink, budget_means, kink
from stages.laws.deciding.path import ArmColumns
from stages.laws.deciding.turning import at_one_size, bend_of, bend_words, turn_of
from stages.laws.interface import table

NEAR = float(np.log(1.5))  # assumed: runs within a factor 1.5 are at the budget
REPEATS_SLACK = 1.5  # ours: as far beyond the epochs of the runs as a budget may lie
# assumed: the shares that a run drew differ from those of its arm by less
SHARES_SLACK = 0.02
SAME = 0.02  # assumed: budgets of two arms within 2 % are one
FEW_BEYOND = 2  # ours: a lead that two budgets bear has no trend of its own
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
        _contradicted(decision, rows, columns, arm_column)
        or _turning_arm(decision, rows, columns, arm_column)
        or _beyond_repeats(decision, rows, columns)
        or _beyond_mixtures(decision, rows, columns)
        or _late_curve(decision, rows, columns, arm_column)
        or _late_lead(decision, rows, columns, arm_column)
    )
    if found is None:
        return decision
    return replace(decision, status=found.status, reason=found.message, code=found.code)


def _training_flops(decision, columns: ArmColumns, arm: str) -> float:
    """Compute that an arm trains with at the budget: what generating its text leaves, as the runs count it."""
    own = columns.get(arm, {})
    return decision.flops - float(generation_flops(own, decision.n_tokens[arm]))


def _contradicted(
    decision, rows, columns: ArmColumns, arm_column: str
) -> Objection | None:
    """Runs at the budget whose means put the second arm before the best."""
    best, second = (
        _near(decision, rows, columns, arm=arm, arm_column=arm_column)
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


def _near(
    decision, rows, columns: ArmColumns, *, arm: str, arm_column: str
) -> np.ndarray:
    """Values of an arm's runs at the budget and, where sizes are compared, near the size."""
    own = _arms(rows, arm_column) == arm
    own &= (
        np.abs(np.log(table.run_flops(rows) / _training_flops(decision, columns, arm)))
        <= NEAR
    )
    size = decision.n_params[arm]
    if "n_params" in rows and np.isfinite(size):
        own &= np.abs(np.log(np.asarray(rows["n_params"], float) / size)) <= NEAR
    return np.asarray(rows["value"], float)[own]


def _turning_arm(
    decision, rows, columns: ArmColumns, arm_column: str
) -> Objection | None:
    """One of the two arms whose values turn below the budget."""
    for arm in (decision.best, decision.second):
        own = _arms(rows, arm_column) == arm
        at = turn_of(rows, own, decision.n_params[arm])
        if at is not None and _training_flops(decision, columns, arm) > at:
            return Objection(
                "turns",
                status="insufficient_evidence",
                message=(
                    f"the value of {arm} falls up to {at:.2g} FLOPs and rises beyond,"
                    " which the law does not know; nothing above that is decided"
                ),
            )
    return None


def _beyond_repeats(decision, rows, columns: ArmColumns) -> Objection | None:
    """One of the two arms that would repeat its data, or a part of it, as often as no run did."""
    for arm in (decision.best, decision.second):
        own = columns.get(arm, {})
        if not own:
            continue
        asked = {**own, "n_tokens_seen": decision.n_tokens[arm]}
        for passes_of, what in ((whole_passes, "its data"), (part_passes, "a part")):
            trained, wanted = passes_of(rows), passes_of(asked)
            if trained is None or wanted is None:
                continue
            message = _uncovered(arm, what, float(wanted[0]), trained)
            if message:
                return Objection(
                    "repeats_beyond", status="extrapolating", message=message
                )
    return None


def _uncovered(arm: str, what: str, wanted: float, trained: np.ndarray) -> str:
    """Why no run stands for so many passes, with both numbers; empty where one does. trained: (runs,).

    wanted: nan where the law does not say what size and tokens a budget buys.
    """
    if np.isnan(wanted) and trained.max() > 1.0 + SHARES_SLACK:
        return (
            f"the law does not know model size, so nothing says how often {arm} would"
            f" pass over {what}, and runs passed up to {trained.max():.3g} times; name a"
            " size, or a law that reads n_params"
        )
    if np.isnan(wanted) or are_covered(wanted, trained):
        return ""
    over = f"{what} of it" if what == "a part" else what
    least, most = float(trained.min()), float(trained.max())
    if wanted > most:
        return (
            f"{arm} would pass {wanted:.3g} times over {over}, and no run more than"
            f" {most:.3g} times"
        )
    return (
        f"{arm} would pass {wanted:.3g} times over {over}, and every run at least"
        f" {least:.3g} times"
    )


def are_covered(wanted: float, trained: np.ndarray) -> bool:
    """Whether runs that passed so often over their data, (runs,), stand for `wanted` passes; up to one nothing repeats.

    >>> are_covered(0.1, np.array([0.5, 2.0])), are_covered(40.0, np.array([0.5, 20.0]))
    (True, False)
    """
    least, most = max(float(trained.min()), 1.0), max(float(trained.max()), 1.0)
    return least / REPEATS_SLACK <= max(wanted, 1.0) <= REPEATS_SLACK * most


def whole_passes(rows: table.Rows) -> np.ndarray | None:
    """Tokens over different tokens, (rows,); None where the table does not tell."""
    if not {"n_tokens_seen", "n_tokens_unique"} <= set(rows):
        return None
    seen = np.asarray(rows["n_tokens_seen"], float)
    return np.atleast_1d(seen / table.unique_tokens(rows))


def part_passes(rows: table.Rows) -> np.ndarray | None:
    """The same of the part, of those with a share and unique tokens, that is repeated most, (rows,)."""
    parts = [
        name.removeprefix(SHARE)
        for name in rows
        if name.startswith(SHARE) and f"unique_{name.removeprefix(SHARE)}" in rows
    ]
    if not parts or "n_tokens_seen" not in rows:
        return None
    seen = np.atleast_1d(np.asarray(rows["n_tokens_seen"], float))
    passes = [
        np.asarray(rows[f"{SHARE}{part}"], float)
        * seen
        / np.maximum(np.asarray(rows[f"unique_{part}"], float), 1.0)
        for part in parts
    ]
    return np.max(passes, axis=0)


def _beyond_mixtures(decision, rows, columns: ArmColumns) -> Objection | None:
    """One of the two arms whose mixture lies outside of those trained."""
    for arm in (decision.best, decision.second):
        own = columns.get(arm, {})
        shares = {name: np.array([own[name]]) for name in own if name.startswith(SHARE)}
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


def _late_curve(
    decision, rows, columns: ArmColumns, arm_column: str
) -> Objection | None:
    """One of the two arms whose power law begins or ends among its runs, at a budget above them."""
    for arm in (decision.best, decision.second):
        own = _arms(rows, arm_column) == arm
        if not own.any() or not _above(
            _training_flops(decision, columns, arm), table.run_flops(rows)[own]
        ):
            continue
        found = bend_of(rows, own, decision.n_params[arm])
        if found is not None:
            return Objection(
                "onset",
                status="extrapolating",
                message=(
                    f"the value of {arm} {bend_words(found)}, and this budget is above all"
                    " of its runs"
                ),
            )
    return None


def _late_lead(
    decision, rows, columns: ArmColumns, arm_column: str
) -> Objection | None:
    """A lead that bends at the last budgets: carried on from before or from beyond the bend it is another verdict.

    Runs of one training budget are not compared where generating takes another part of it from each arm.
    """
    if any(
        _training_flops(decision, columns, arm) < decision.flops
        for arm in (decision.best, decision.second)
    ):
        return None
    x, ahead = _leads(decision, rows, arm_column)
    found = kink(x, ahead)
    if found is None or not _above(decision.flops, np.exp(x)):
        return None
    late = found.falls_late() or _mirrored(found).falls_late()
    if found.n_beyond > FEW_BEYOND or not late:
        return None
    step = float(np.log(decision.flops)) - found.at
    said = [found.level + slope * step for slope in (found.before, found.after)]
    least = decision.tolerance / decision.values[decision.best][0]
    leads = [each < -least for each in said]
    ties = [abs(each) < least for each in said]
    if all(leads if decision.status == "decided" else ties):
        return None
    below, beyond = (round(float(lead), 4) + 0.0 for lead in said)  # no minus before 0
    return Objection(
        "onset",
        status="extrapolating",
        message=(
            f"{decision.best} against {decision.second} changes its course at"
            f" {found.flops:.2g} FLOPs: carried on from below it differs by {below:+.1%},"
            f" from the {found.n_beyond} of {found.n} budgets beyond by {beyond:+.1%}"
        ),
    )


def _mirrored(found: Kink) -> Kink:
    """The slopes of the same lead counted for the other arm."""
    return replace(found, before=-found.before, after=-found.after)


def _leads(decision, rows, arm_column: str) -> tuple[np.ndarray, np.ndarray]:
    """Log compute of the budgets that both arms have at one size, and the log value of the best over the second's."""
    flops, values = table.run_flops(rows), np.asarray(rows["value"], float)
    curves = []
    for arm in (decision.best, decision.second):
        own = _arms(rows, arm_column) == arm
        if not own.any():
            return np.zeros(0), np.zeros(0)
        own = at_one_size(rows, own, decision.n_params[decision.best])
        curves.append(budget_means(flops[own], values[own]))
    (x, best), (other_x, second) = curves
    nearest = np.abs(x[:, None] - other_x).argmin(axis=1)
    shared = np.abs(x - other_x[nearest]) <= SAME
    return x[shared], (best - second[nearest])[shared]


def _above(budget: float, flops: np.ndarray) -> bool:
    """Whether the budget lies above all of these runs, not just at them."""
    return bool(np.log(budget / flops.max()) > NEAR)


def _arms(rows, arm_column: str) -> np.ndarray:
    return np.asarray(rows[arm_column]).astype(str)
