"""Which runs are held out: the largest budgets, never too few nor too many."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws.choosing.cuts import largest_rungs


def rung(flops: float, n_runs: int) -> list[float]:
    return [flops] * n_runs


def test_the_largest_rung_is_held_out_where_it_has_three_runs():
    flops = np.array(rung(1e9, 5) + rung(1e10, 3))
    assert largest_rungs(flops).tolist() == [False] * 5 + [True] * 3


def test_budgets_within_a_quarter_are_one_rung_and_smaller_ones_fill_up_to_three_runs():
    flops = np.array([*rung(1e9, 6), 1e10, 1e11, 1.02e11])
    assert largest_rungs(flops).tolist() == [False] * 6 + [True] * 3
    assert largest_rungs(np.array([*rung(1e9, 6), *rung(1e11, 3)]), 1).sum() == 3


def test_two_fifths_of_the_runs_may_be_held_out():
    flops = np.array(rung(1e9, 6) + rung(1e11, 4))
    assert largest_rungs(flops).tolist() == [False] * 6 + [True] * 4


def test_a_table_that_cannot_be_split_is_refused():
    with pytest.raises(
        InputError,
        match=(
            "^1 distinct compute budgets cannot be split into runs to fit and runs to"
            " predict; add smaller runs$"
        ),
    ):
        largest_rungs(np.array(rung(1e9, 8)))
    with pytest.raises(
        InputError,
        match=(
            "^the largest 1 compute budgets hold 4 of 8 runs, too many to set aside; add"
            " smaller runs$"
        ),
    ):
        largest_rungs(np.array(rung(1e9, 4) + rung(1e10, 4)))
