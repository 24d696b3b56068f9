"""Which of a decision's targets, and which budgets, the runs after it stand for."""

from types import SimpleNamespace

import pytest

from stages.decision.record import read_decision
from stages.foundation.stage import ROOT
from stages.verification.asked import Asked, within_the_pool

DEMO = read_decision(ROOT / "data/decisions/filter.json")


def asked(n_params, unique_at_the_target=None, unique=100.0):
    """The demo's decision, its runs of a size, an arm's different tokens at the target and in the runs."""
    repetition = [SimpleNamespace(arm="keep_10", unique_tokens=unique_at_the_target)]
    run = SimpleNamespace(repetition=repetition) if unique_at_the_target else None
    decision = DEMO.model_copy(update={"target": run})
    columns = {"keep_10": {"n_tokens_unique": unique}}
    claim = SimpleNamespace(n_params=n_params, columns=columns)
    return Asked(decision, claim=claim, parents={})


def test_what_was_said_of_another_size_or_pool_is_not_judged():
    size = DEMO.n_params.value
    assert asked(size).targets == DEMO.targets
    assert asked(size + 1).targets == []
    assert asked(size, unique_at_the_target=102.0).targets == DEMO.targets
    assert asked(size, unique_at_the_target=1e9).targets == []


@pytest.mark.parametrize(
    ("unique", "kept"),
    [
        (None, [2_000, 4_000, 8_000]),
        (100, [2_000, 4_000, 8_000]),  # 800 of 1,000 tokens at the longest
        (200, [2_000, 4_000]),
        (900, []),
    ],
)
def test_budgets_that_would_need_more_than_the_arm_are_left_out(unique, kept):
    parent = SimpleNamespace(
        arm="keep_10/0", unique_tokens=unique, budgets_tokens=(1_000,)
    )
    data = SimpleNamespace(views={"keep_10/0": SimpleNamespace(n_tokens=1_000)})
    assert within_the_pool(parent, [2_000, 4_000, 8_000], data) == kept
