"""What generating text leaves of a budget: paid once, as it is first read."""

import numpy as np
import pytest

from stages.laws.deciding.generation import generation_flops, trained_tokens
from stages.laws.deciding.path import path_rows

# two generated parts: all in use after 1,000 and after 4,000 tokens
TWO = {
    "generation_flops_a": 3e6,
    "generation_tokens_a": 4_000.0,
    "generation_flops_b": 1e6,
    "generation_tokens_b": 1_000.0,
    "n_tokens_unique": 5_000.0,
}


@pytest.mark.parametrize(
    ("n_tokens", "flops"),
    # a: 750 FLOPs a token up to 4,000; b: 1,000 up to 1,000
    [(400, 700_000), (1_000, 1_750_000), (2_000, 2_500_000), (9_000, 4_000_000)],
)
def test_a_part_is_paid_as_it_is_read_and_never_again(n_tokens, flops):
    assert generation_flops(TWO, n_tokens) == pytest.approx(flops)


def test_a_budget_is_spent_to_the_last_flop():
    budgets = np.geomspace(1e4, 1e9, 60)
    n_tokens = trained_tokens(TWO, budgets, per_token=np.full(60, 6e3))
    spent = 6e3 * n_tokens + generation_flops(TWO, n_tokens)
    assert spent == pytest.approx(budgets, rel=1e-12)
    assert (np.diff(n_tokens) > 0).all()


def test_without_generated_text_the_budget_is_for_training():
    assert generation_flops({"n_tokens_unique": 5.0}, 100) == 0
    assert trained_tokens({}, np.array([6e6]), per_token=6e3).tolist() == [1_000.0]


def test_a_law_reads_the_training_alone():
    rows = path_rows(np.array([34e6]), np.array([1e3]), TWO)
    # 34e6 less 4e6, at 6,000 a token
    assert rows["n_tokens_seen"] == pytest.approx([5_000.0])
    assert rows["flops"] == pytest.approx([30e6])
    assert set(rows) == {"flops", "n_params", "n_tokens_seen", "n_tokens_unique"}
