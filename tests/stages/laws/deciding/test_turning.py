"""Curves that no falling law knows: they turn, rise, or begin late."""

import numpy as np
import pytest

from stages.laws.deciding.turning import at_one_size, turn, turning_notes

BUDGETS = np.geomspace(1e9, 1e12, 7)
U = 2.0 + 0.1 * np.log10(BUDGETS / 3e10) ** 2


def test_a_turn_lies_at_the_lowest_point_and_a_falling_curve_has_none():
    assert turn(BUDGETS, U) == pytest.approx(3e10, rel=0.05)
    assert turn(BUDGETS, 2 + 1e3 * BUDGETS**-0.3) is None
    noise = 0.002 * np.array([1, -1, 1, -1, 1, -1, 1])
    assert turn(BUDGETS, (2 + 1e3 * BUDGETS**-0.3) * np.exp(noise)) is None
    assert turn(BUDGETS[:4], U[:4]) is None


def test_a_rise_from_repeats_is_for_the_law_to_say():
    rows = {
        "flops": BUDGETS,
        "value": U,
        "n_tokens_seen": np.geomspace(1e6, 1e9, 7),
        "n_tokens_unique": np.full(7, 1e6),
    }
    assert turning_notes(rows) == []
    [note] = turning_notes({"flops": BUDGETS, "value": U})
    assert note["code"] == "not_monotone" and "3e+10" in note["message"]


def test_a_value_that_only_grows_is_said_to_grow():
    [note] = turning_notes({"flops": BUDGETS, "value": np.linspace(1, 2, 7)})
    assert note["code"] == "rises" and "1 - score" in note["message"]


def test_a_law_that_begins_late_is_a_coded_warning():
    budgets = np.geomspace(1e8, 1e14, 7)
    late = {"flops": budgets, "value": 3 * np.minimum(1.0, (budgets / 1e11) ** -0.1)}
    [note] = turning_notes(late)
    assert note["code"] == "onset"
    assert "begins to fall only at 1e+11 FLOPs (3 of 7 budgets" in note["message"]
    faster = {"flops": budgets, "value": late["value"] * budgets**-0.05}
    [note] = turning_notes(faster)
    # slopes -.05 and -.15
    assert "falls 3.0 times as steeply from 1e+11 FLOPs on" in note["message"]
    flattening = {"flops": budgets, "value": 2 + 100 * budgets**-0.2}
    assert turning_notes(flattening) == []


def test_a_rise_at_the_end_that_repeats_explain_is_no_warning():
    budgets = np.geomspace(1e8, 1e13, 6)
    rows = {"flops": budgets, "value": np.array([4.0, 3.2, 2.56, 2.05, 1.64, 1.72])}
    [note] = turning_notes(rows)
    assert note["code"] == "onset" and "rises from 1e+12 FLOPs on" in note["message"]
    repeated = {
        "n_tokens_seen": np.geomspace(1e6, 1e11, 6),
        "n_tokens_unique": np.full(6, 1e9),
    }
    assert turning_notes(rows | repeated) == []


def test_a_curve_is_of_one_size_and_a_ladder_is_a_curve():
    own = np.ones(6, bool)
    grid = {
        "n_params": np.array([1e6, 1e6, 1e6, 1e7, 1e7, 1e7]),
        "flops": np.array([1e9, 2e9, 4e9, 1e10, 2e10, 4e10]),
    }
    assert at_one_size(grid, own, 8e6).tolist() == [False] * 3 + [True] * 3
    assert at_one_size(grid, own, 2e6).tolist() == [True] * 3 + [False] * 3
    ladder = {
        "n_params": np.geomspace(1e6, 1e8, 6),
        "flops": np.geomspace(1e9, 1e13, 6),
    }
    assert at_one_size(ladder, own, 1e6).all()
