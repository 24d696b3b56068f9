"""Where an arm wins on average and loses by one judge: how much, how surely, and whether it may.

Each judge has laws of its own, fitted to the runs that decided, with the same draws. An arm may lose to the baseline
by as much as `decide.veto` says; where it loses more in a share of the draws above 1 - decide_at, nothing is decided.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from stages.decision.at_budgets import Target
from stages.laws.choosing.averaged import Prediction
from stages.laws.choosing.bootstrap import equal_tailed
from stages.laws.deciding.path import ArmColumns, arm_path
from stages.runs.judge_record import JudgedLoss
from stages.settings.decide import DecideParams

DOUBTED = ("decided", "tie")


def judged_targets(
    judges: Mapping[str, Prediction],
    targets: Sequence[Target],
    columns: ArmColumns,
    *,
    baseline: str | None,
    n_params: float | None,
    params: DecideParams,
    labels: Mapping[str, str],
) -> list[Target]:
    """The comparisons with what each judge says of the arms, and not decided where one speaks against the best."""
    found = []
    for target in targets:
        losses = judged_losses(
            judges,
            target,
            columns,
            baseline=baseline,
            n_params=n_params,
            veto=params.veto,
            level=params.level,
        )
        judged = target.model_copy(update={"judged": losses})
        found.append(vetoed(judged, decide_at=params.decide_at, labels=labels))
    return found


def judged_losses(
    judges: Mapping[str, Prediction],
    target: Target,
    columns: ArmColumns,
    *,
    baseline: str | None,
    n_params: float | None,
    veto: Mapping[str, float],
    level: float,
) -> list[JudgedLoss]:
    """Every arm against the baseline by every judge at the budget of `target`.

    judges: name -> its prediction. baseline: None, or the best arm itself: then the second best stands for it.
    """
    against = baseline if baseline not in (None, target.best) else target.second
    found: list[JudgedLoss] = []
    for name, prediction in judges.items():
        path = arm_path(prediction, [target.flops], columns, n_params=n_params)
        for arm in target.values:
            if against is None or arm == against:
                continue
            drawn = path.draws[arm][:, 0] - path.draws[against][:, 0]
            low, high = equal_tailed(drawn, level)
            may = veto.get(name)
            found.append(
                JudgedLoss(
                    judge=name,
                    arm=arm,
                    against=against,
                    excess=(
                        float(path.values[arm][0] - path.values[against][0]),
                        float(low),
                        float(high),
                    ),
                    may_lose=may,
                    p_over=None if may is None else float(np.mean(drawn > may)),
                )
            )
    return found


def vetoed(target: Target, *, decide_at: float, labels: Mapping[str, str]) -> Target:
    """The comparison, or not decided where its best arm may lose more by a judge than it is allowed to."""
    risky = {
        arm: [
            each
            for each in target.judged
            if each.arm == arm and (each.p_over or 0) > 1 - decide_at
        ]
        for arm in target.values
    }
    if target.status not in DOUBTED or not risky[target.best]:
        return target
    worst = max(risky[target.best], key=lambda each: each.p_over or 0)
    value, low, high = worst.excess
    free = [arm for arm in target.values if not risky[arm]]
    then = min(free, key=lambda arm: target.values[arm][0], default=None)
    reason = (
        f"by the judge {worst.judge} it loses {value:.3g} [{low:.3g}, {high:.3g}] bits a"
        f" byte to {labels[worst.against]}, and decide.veto allows {worst.may_lose:g}"
        f" (P(more) {worst.p_over:.2f})"
    )
    if then is not None:
        reason += f"; of the arms without a veto {labels[then]} leads"
    return target.model_copy(
        update={"status": "insufficient_evidence", "reason": reason, "code": "veto"}
    )
