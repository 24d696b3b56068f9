"""The target in each of the ways that it can be stated, and what is refused."""

import pytest
from pydantic import ValidationError

from stages.target.target import Target, is_budget_of


@pytest.mark.parametrize(
    "said",
    [
        {"tokens": 2e10},
        {"flops": 1.2e20},
        {"accelerator_hours": 100, "flops_per_s": 1.2e20 / 100 / 3600},
    ],
)
def test_three_ways_to_say_how_long(said):
    target = Target(params=1e9, **said)
    assert target.n_flops == pytest.approx(1.2e20)
    assert target.n_tokens == pytest.approx(2e10)
    assert is_budget_of(target, 1.2e20) and not is_budget_of(target, 1.3e20)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({}, "needs exactly one of tokens, flops, accelerator_hours; has none"),
        ({"tokens": 1e9, "flops": 1e9}, "has tokens and flops"),
        ({"accelerator_hours": 3}, "belong together"),
        ({"tokens": 1e9, "flops_per_s": 3e14}, "belong together"),
        ({"tokens": 1e9, "pool_tokens": {"web": 0.0}}, "must lie in 1 to 1e18, got 0"),
        ({"tokens": 1e9, "pool_tokens": -5}, "must lie in 1 to 1e18"),
        ({"flops": 1e9}, "less than one token"),
        ({"tokens": float("nan")}, "finite"),
    ],
)
def test_what_cannot_be_a_target_is_refused(said, message):
    with pytest.raises(ValidationError, match=message):
        Target(params=1e9, **said)


def test_numbers_as_people_write_them_in_yaml():
    # PyYAML reads 1e9 as text
    target = Target.model_validate(
        {"params": "1e9", "tokens": "2e10", "pool_tokens": {"web": "4e11"}}
    )
    assert (target.params, target.pool_tokens) == (1e9, {"web": 4e11})


def test_passes_over_the_pools():
    ingested = {"web": 3e6, "code": 1e6}
    as_ingested = Target(params=1e9, tokens=2e7)
    assert as_ingested.passes(ingested) == 5 and as_ingested.stated_passes is None
    scaled = Target(params=1e9, tokens=2e10, pool_tokens=4e11)
    assert scaled.pools(ingested) == {"web": 3e11, "code": 1e11}
    assert scaled.passes(ingested) == scaled.stated_passes == 0.05
    named = Target(params=1e9, tokens=2e10, pool_tokens={"web": 1e10})
    assert named.pools(ingested) == {"web": 1e10, "code": 1e6}
