"""Which arm a decision names, by its budgets; and what makes an export of it stale."""

import pytest

from stages.decision.at_budgets import TargetRun
from stages.decision.record import read_decision
from stages.foundation.errors import InputError, RefusedError
from stages.foundation.stage import ROOT
from stages.handing_over.answer import Answer, answer_hash, answer_of, decision_hash


@pytest.fixture(scope="module")
def base():
    return read_decision(ROOT / "data/decisions/filter.json")


def with_targets(base, status, *targets):
    """The record with targets (flops, best, status)."""
    made = [
        base.targets[0].model_copy(
            update={"flops": flops, "best": best, "status": said}
        )
        for flops, best, said in targets
    ]
    labels = {"a": "keep a", "b": "keep b"}
    return base.model_copy(
        update={"status": status, "targets": made, "labels": labels, "target": None}
    )


def for_target(record, flops):
    """The record made for a run of so many FLOPs."""
    run = TargetRun(
        n_params=1e9,
        n_tokens=flops / 6e9,
        flops=flops,
        pool_tokens={"web": 1e12},
        decades=2.0,
        decades_params=1.0,
        decades_tokens=1.0,
        best="a",
        status="decided",
        repetition=[],
        text="for a run",
    )
    return record.model_copy(update={"target": run})


def test_all_decided_budgets_name_one_arm(base):
    record = with_targets(
        base,
        "decided",
        (1e9, "a", "decided"),
        (1e10, "a", "decided"),
        (1e11, "b", "tie"),
    )
    assert answer_of(record) == Answer("a", "decided", 1e10)
    assert answer_of(record, budget=1e9) == Answer("a", "decided", 1e9)
    assert answer_of(record, budget=1.004e9).flops == 1e9
    assert answer_of(record, arm="b") == Answer("b", "decided", None)


def test_budgets_that_name_different_arms_need_one_to_be_said(base):
    record = with_targets(
        base, "decided", (1e9, "a", "decided"), (1e10, "b", "decided")
    )
    with pytest.raises(InputError, match=r"a at 1e\+09, b at 1e\+10.*--budget FLOPS"):
        answer_of(record)
    assert answer_of(record, budget=1e10).arm == "b"


def test_a_decision_for_a_target_names_the_arm_there(base):
    record = with_targets(
        base,
        "decided",
        (1e9, "a", "decided"),
        (1e10, "b", "decided"),
        (1e11, "a", "tie"),
    )
    assert answer_of(for_target(record, 1e10 * (1 + 1e-12))) == Answer(
        "b", "decided", 1e10
    )
    with pytest.raises(RefusedError, match=r"not decided at its target \(tie\)"):
        answer_of(for_target(record, 1e11))
    assert answer_of(for_target(record, 1e11), budget=1e9).arm == "a"


def test_what_is_not_decided_is_refused(base):
    record = with_targets(base, "tie", (1e9, "a", "decided"), (1e10, "b", "tie"))
    with pytest.raises(RefusedError, match=r"not decided as a whole \(tie\)"):
        answer_of(record)
    with pytest.raises(RefusedError, match=r"not decided at 1e\+10 FLOPs \(tie\)"):
        answer_of(record, budget=1e10)
    assert answer_of(record, budget=1e9).arm == "a"


@pytest.mark.parametrize(
    "asked, said",
    [
        ({"arm": "c"}, "has the arms a, b"),
        ({"budget": 5e9}, r"was asked for 1e\+09 FLOPs"),
        ({"arm": "a", "budget": 1e9}, "give one of them"),
    ],
)
def test_a_slip_names_what_there_is(base, asked, said):
    record = with_targets(base, "decided", (1e9, "a", "decided"))
    with pytest.raises(InputError, match=said):
        answer_of(record, **asked)


def test_the_same_answer_made_again_has_the_same_hash(base):
    again = base.model_copy(
        update={
            "provenance": base.provenance.model_copy(
                update={"created": "later", "git_commit": "other", "versions": {}}
            )
        }
    )
    assert decision_hash(again) != decision_hash(base)
    assert answer_hash(again) == answer_hash(base)
    changed = base.model_copy(update={"status": "tie", "sentence": "other"})
    assert answer_hash(changed) != answer_hash(base)
