"""An arm that wins on average and loses by one judge: how much, how surely, and what is said of it."""

import numpy as np
import pytest

from stages.judges.veto import judged_losses, judged_targets, vetoed
from stages.settings.decide import DecideParams

COLUMNS = {"a": {}, "b": {}, "c": {}}
LABELS = {"a": "arm A", "b": "arm B", "c": "arm C"}
OFFSETS = {"a": np.linspace(-0.05, 0.05, 101), "b": np.zeros(101), "c": np.zeros(101)}


@pytest.fixture
def wiki(known_boot):
    """By the judge wiki, a stands at 2.08 give or take .05, b at 2, c at 1.9."""
    values = {"a": 2.08, "b": 2.0, "c": 1.9}
    curves = {
        arm: lambda flops, value=value: value + 0 * flops
        for arm, value in values.items()
    }
    return {"wiki": known_boot(curves, OFFSETS)}


@pytest.fixture
def three(target):
    return target(
        values={"a": (3.0, 2.9, 3.2), "b": (3.2, 3.1, 3.3), "c": (3.1, 3, 3.2)}
    )


def losses(judges, target, veto, baseline="b"):
    return judged_losses(
        judges,
        target,
        COLUMNS,
        baseline=baseline,
        n_params=1e4,
        veto=veto,
        level=0.9,
    )


def test_every_arm_stands_against_the_baseline(wiki, three):
    a, c = losses(wiki, three, {"wiki": 0.05})
    assert (a.judge, a.arm, a.against) == ("wiki", "a", "b")
    assert a.excess == pytest.approx((0.08, 0.035, 0.125))
    # more than .05 where the offset is above -.03: four fifths of the draws
    assert a.may_lose == 0.05 and a.p_over == pytest.approx(0.8, abs=0.01)
    assert (c.arm, c.excess[0], c.p_over) == ("c", pytest.approx(-0.1), 0.0)


def test_without_a_veto_it_is_only_told(wiki, three):
    found = losses(wiki, three, {})
    assert [(each.may_lose, each.p_over) for each in found] == [(None, None)] * 2
    judged = three.model_copy(update={"judged": found})
    assert vetoed(judged, decide_at=0.9, labels=LABELS) is judged


@pytest.mark.parametrize("baseline", [None, "a"])
def test_a_best_arm_that_is_the_baseline_stands_against_the_second(
    wiki, three, baseline
):
    found = losses(wiki, three, {}, baseline=baseline)
    assert {each.against for each in found} == {"b"}
    alone = three.model_copy(update={"second": None})
    assert losses(wiki, alone, {}, baseline=None) == []


def params(**changes):
    return DecideParams(target_flops=[2e9], **changes)


def judged(judges, target, **changes):
    [found] = judged_targets(
        judges,
        [target],
        COLUMNS,
        baseline="b",
        n_params=1e4,
        params=params(**changes),
        labels=LABELS,
    )
    return found


def test_nothing_is_decided_where_the_best_arm_loses_more_than_it_may(wiki, three):
    found = judged(wiki, three, veto={"wiki": 0.05})
    assert (found.status, found.code) == ("insufficient_evidence", "veto")
    assert found.reason == (
        "by the judge wiki it loses 0.08 [0.035, 0.125] bits a byte to arm B, and"
        " decide.veto allows 0.05 (P(more) 0.80); of the arms without a veto arm C"
        " leads"
    )
    assert found.best == "a" and len(found.judged) == 2


@pytest.mark.parametrize(
    ("may", "status"),
    # P(more) .10 at .12 and a little less at .121
    [(0.11, "insufficient_evidence"), (0.121, "decided"), (0.2, "decided")],
)
def test_a_small_chance_of_losing_more_is_allowed(wiki, three, may, status):
    assert judged(wiki, three, veto={"wiki": may}).status == status


def test_a_budget_that_is_not_decided_keeps_its_own_reason(wiki, target):
    open_one = target(status="extrapolating", reason="far away")
    found = judged(wiki, open_one, veto={"wiki": 0.0})
    assert (found.status, found.reason, found.code) == ("extrapolating", "far away", "")


def test_where_every_arm_loses_too_much_none_leads(known_boot, three):
    curves = {
        arm: lambda flops, value=value: value + 0 * flops
        for arm, value in {"a": 2.5, "b": 2.0, "c": 2.5}.items()
    }
    two = three.model_copy(
        update={"values": {arm: three.values[arm] for arm in ("a", "c")}}
    )
    found = judged({"wiki": known_boot(curves, OFFSETS)}, two, veto={"wiki": 0.1})
    assert found.code == "veto" and "leads" not in found.reason
