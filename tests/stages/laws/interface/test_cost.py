"""A budget becomes tokens by the table's own FLOPs."""

import numpy as np
import pytest

from stages.laws.interface.cost import Cost

N = np.array([1e7, 1e7, 1e8, 1e8])
D = np.array([1e9, 2e9, 1e9, 2e9])


def test_without_flops_a_parameter_and_token_cost_six():
    cost = Cost.of({"n_params": N, "n_tokens_seen": D})
    assert cost == Cost() and cost.notes() == []
    assert cost.tokens(6e17, 1e8) == pytest.approx(1e9)


def test_one_factor_of_a_table_is_used_and_said():
    cost = Cost.of({"n_params": N, "n_tokens_seen": D, "flops": 60 * N * D})
    assert cost.tokens(6e18, 1e8) == pytest.approx(1e9)
    [said] = cost.notes()
    assert (
        said["code"] == "own_flops" and "60 n_params n_tokens_seen" in said["message"]
    )


def test_a_factor_that_moves_with_size_is_interpolated_in_logs():
    factor = np.where(N == 1e7, 9.0, 6.25)
    cost = Cost.of({"n_params": N, "n_tokens_seen": D, "flops": factor * N * D})
    between = np.sqrt(9.0 * 6.25)  # half of the way in logs
    np.testing.assert_allclose(
        cost.factor([1e6, 1e7, 10**7.5, 1e8, 1e9]), [9, 9, between, 6.25, 6.25]
    )
    assert cost.spread == pytest.approx(0, abs=1e-12)
    assert "interpolated in log n_params" in cost.notes()[0]["message"]


def test_runs_of_one_size_that_pay_differently_are_counted():
    factor = np.array([6.0, 12.0, 6.0, 6.0])
    cost = Cost.of({"n_params": N, "n_tokens_seen": D, "flops": factor * N * D})
    assert cost.spread == pytest.approx(
        1 / 3
    )  # 6 and 12 lie a third off their median, 9


def test_tokens_alone_are_the_budget():
    cost = Cost.of({"n_tokens_seen": D})
    assert cost.unit == "tokens" and cost.tokens(5e3, np.nan) == 5e3
    assert cost.notes()[0]["code"] == "budget_in_tokens"
