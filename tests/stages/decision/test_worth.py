"""Which arm is the baseline, and which worth is spoken of."""

import pytest

from stages.decision.at_budgets import Worth
from stages.decision.worth import baseline_of, spoken_worth

ARMS = {
    "keep_20": {"keep": 0.2, "upweight": None, "mixture": None},
    "raw": {"keep": 1.0, "upweight": None, "mixture": None},
    "clean": {"keep": 1, "upweight": None, "mixture": None},
    "mix": {"keep": 1.0, "upweight": None, "mixture": {"web": 1.0}},
}
COLUMNS = {
    name: {"n_tokens_unique": tokens}
    for name, tokens in {
        "keep_20": 20.0,
        "raw": 110.0,
        "clean": 90.0,
        "mix": 200.0,
    }.items()
}


@pytest.mark.parametrize(
    ("names", "named", "found"),
    [
        (["keep_20", "clean", "mix"], None, "clean"),
        (["keep_20", "clean", "raw"], None, "raw"),  # of two the one with more tokens
        (["keep_20", "clean", "raw"], "keep_20", "keep_20"),
        (["keep_20", "mix"], None, None),
        (["keep_20", "clean"], "raw", "clean"),  # named for another question
    ],
)
def test_the_baseline_keeps_everything(names, named, found):
    assert baseline_of(names, ARMS, COLUMNS, named=named) == found


def record(flops):
    return Worth(
        flops=flops,
        best="a",
        baseline="b",
        level=0.9,
        times=1.8,
        low=1.5,
        high=2.2,
        tokens_times=1.8,
        tokens_low=1.5,
        tokens_high=2.2,
        never=False,
        until=None,
        text=f"a is worth 1.8 at {flops:g}.",
    )


def test_the_largest_measured_budget_is_spoken_of():
    made = [record(flops) for flops in (1e9, 2e9, 4e9)]
    assert spoken_worth(made, reach=2e9) == " A is worth 1.8 at 2e+09."
    assert spoken_worth(made, reach=1e8) == " A is worth 1.8 at 1e+09."
    assert spoken_worth([], reach=1e9) == ""
