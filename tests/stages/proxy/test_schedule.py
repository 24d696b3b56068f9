import numpy as np
import pytest

from stages.proxy.schedule import segments


def plan(budgets, **changes):
    return segments(budgets, **({"batch_tokens": 10, "decay_fraction": 0.2, "warmup_steps": 0} | changes))


def test_branches_leave_one_trunk_at_four_fifths():
    found = [(part.budget_tokens, part.first_step, part.n_steps) for part in plan((100, 200, 1000))]
    assert found == [(None, 0, 8), (100, 8, 2), (None, 8, 8), (200, 16, 4), (None, 16, 64), (1000, 80, 20)]


def test_a_branch_may_start_before_a_smaller_budget_ends():
    found = [(part.budget_tokens, part.first_step, part.n_steps) for part in plan((100, 110))]
    assert found == [(None, 0, 8), (100, 8, 2), (110, 8, 3)]


def test_decay_is_linear_and_would_reach_zero_at_the_next_step():
    factors = plan((1000,))[1].lr_factors
    assert np.allclose(np.diff(factors), factors[1] - factors[0])
    assert factors[-1] + (factors[1] - factors[0]) == pytest.approx(0)
    assert 0 < factors[-1] < factors[0] < 1


def test_warmup_is_linear_on_the_trunk_and_never_raised_by_a_branch():
    trunk, branch, *_ = plan((100, 1000), warmup_steps=20)
    assert trunk.lr_factors.tolist() == pytest.approx([(step + 1) / 20 for step in range(8)])
    assert branch.lr_factors.tolist() == pytest.approx([9 / 20, 1 / 3])


@pytest.mark.parametrize(("fraction", "n_trunk"), [(0.0, 10), (1.0, 0), (0.25, 7)])
def test_extreme_fractions(fraction, n_trunk):
    found = plan((100,), decay_fraction=fraction)
    assert sum(part.n_steps for part in found) == 10
    assert sum(part.n_steps for part in found if part.budget_tokens is None) == n_trunk
