import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.proxy.specs.schedule import segments


def plan(budgets, **changes):
    return segments(
        budgets,
        **({"batch_tokens": 10, "decay_fraction": 0.2, "warmup_steps": 0} | changes),
    )


def test_branches_leave_one_trunk_at_four_fifths():
    found = [
        (part.budget_tokens, part.first_step, part.n_steps)
        for part in plan((100, 200, 1000))
    ]
    assert found == [
        (None, 0, 8),
        (100, 8, 2),
        (None, 8, 8),
        (200, 16, 4),
        (None, 16, 64),
        (1000, 80, 20),
    ]


def test_a_branch_may_start_before_a_smaller_budget_ends():
    found = [
        (part.budget_tokens, part.first_step, part.n_steps) for part in plan((100, 110))
    ]
    assert found == [(None, 0, 8), (100, 8, 2), (110, 8, 3)]


def test_decay_is_linear_and_would_reach_zero_at_the_next_step():
    factors = plan((1000,))[1].lr_factors
    assert np.allclose(np.diff(factors), factors[1] - factors[0])
    assert factors[-1] + (factors[1] - factors[0]) == pytest.approx(0)
    assert 0 < factors[-1] < factors[0] < 1


def test_warmup_is_linear_on_the_trunk_and_never_raised_by_a_branch():
    trunk, branch, *_ = plan((100, 1000), warmup_steps=20)
    assert trunk.lr_factors.tolist() == pytest.approx(
        [(step + 1) / 20 for step in range(8)]
    )
    assert branch.lr_factors.tolist() == pytest.approx([9 / 20, 1 / 3])


@pytest.mark.parametrize(("fraction", "n_trunk"), [(0.0, 10), (1.0, 0), (0.25, 7)])
def test_extreme_fractions(fraction, n_trunk):
    found = plan((100,), decay_fraction=fraction)
    assert sum(part.n_steps for part in found) == 10
    assert sum(part.n_steps for part in found if part.budget_tokens is None) == n_trunk


def names(found):
    return [
        (part.budget_tokens, part.first_step, part.n_steps, part.returns)
        for part in found
    ]


def test_wsd_s_goes_on_from_the_end_of_each_decay():
    found = plan((100, 200), name="wsd_s")
    assert names(found) == [
        (None, 0, 8, True),
        (100, 8, 2, False),
        (None, 10, 6, True),
        (200, 16, 4, False),
    ]
    assert found[2].lr_factors.tolist() == [1] * 6
    with pytest.raises(
        InputError,
        match=(
            "the decay to 110 tokens would start at 80, inside the decay that ends"
            " at 100"
        ),
    ):
        plan((100, 110), name="wsd_s")


def test_constant_reads_budgets_as_it_passes():
    assert names(plan((100, 200), name="constant")) == [
        (None, 0, 10, True),
        (100, 10, 0, False),
        (None, 10, 10, True),
        (200, 20, 0, False),
    ]


def test_cosine_trains_every_budget_from_the_start():
    short, long = plan((1000, 2000), name="cosine", warmup_steps=10)
    assert names([short, long]) == [(1000, 0, 100, True), (2000, 0, 200, True)]
    for part in (short, long):
        assert part.lr_factors[:10].tolist() == pytest.approx(
            [(step + 1) / 10 for step in range(10)]
        )
        assert part.lr_factors.max() == 1
        assert part.lr_factors[-1] == pytest.approx(0.1)
        assert part.lr_factors[9 + (part.n_steps - 10) // 2] == pytest.approx(0.55)


def test_the_power_schedule_falls_with_tokens_and_decays_from_there():
    trunk, branch = plan((10_000,), name="power", power_tokens=1000, power_exponent=0.5)
    assert (trunk.lr_factors[:100] == 1).all()
    assert trunk.lr_factors[399] == pytest.approx(
        0.5
    )  # four times the tokens, half the rate
    assert branch.lr_factors[0] == pytest.approx((8010 / 1000) ** -0.5 * (1 - 1 / 201))


def test_the_sqrt_decay_falls_faster_at_first_over_the_same_steps():
    linear, sqrt = (
        plan((1000,), decay_shape=shape)[1].lr_factors for shape in ("linear", "sqrt")
    )
    assert len(linear) == len(sqrt)
    assert (sqrt < linear).all()
    assert sqrt[4] == pytest.approx(1 - np.sqrt(5 / 21))


@pytest.mark.parametrize("name", ["wsd", "wsd_s", "power"])
def test_all_budgets_decay_over_the_same_fraction(name):
    for part in plan((1000, 2000, 5000), name=name, power_tokens=100):
        if part.budget_tokens:
            assert part.n_steps == 0.2 * part.budget_tokens / 10
