"""Runs at one end of the design that a law does not describe are named, and nothing else is."""

import numpy as np

from stages.laws.fitting.misfit import misfit_notes

SIZES = np.repeat([1e6, 1e7, 1e8, 1e9], 4)


def test_an_end_that_misses_is_named_with_its_edge_and_size():
    residuals = np.where(SIZES <= 1e6, 0.10, 0.01) * np.tile([1, -1], 8)
    (note,) = misfit_notes({"n_params": SIZES}, residuals)
    assert (note["code"], note["severity"]) == ("misfit", "warning")
    assert note["message"].startswith(
        "4 runs with n_params up to 1e+06 miss the law by 10.0%, 10.0 times the others'"
        " 1.0%"
    )


def test_the_upper_end_counts_as_well():
    residuals = np.where(SIZES >= 1e9, -0.04, 0.01)
    (note,) = misfit_notes({"n_params": SIZES}, residuals)
    assert "4 runs with n_params from 1e+09 miss the law by 4.0%" in note["message"]


def test_what_the_runs_differ_by_includes_tokens_a_parameter():
    columns = {"n_params": np.tile([1e6, 1e7, 1e8, 1e9], 4)}
    ratio = np.repeat([5.0, 20.0, 80.0, 320.0], 4)
    columns["n_tokens_seen"] = ratio * columns["n_params"]
    (note,) = misfit_notes(columns, np.where(ratio == 5.0, 0.2, 0.01))
    assert "n_tokens_seen / n_params up to 5 " in note["message"]


def test_an_even_spread_a_small_miss_and_a_small_table_are_no_misfit():
    assert misfit_notes({"n_params": SIZES}, np.full(16, 0.05)) == []
    small = np.where(SIZES <= 1e6, 0.004, 0.0004)
    assert misfit_notes({"n_params": SIZES}, small) == []
    residuals = np.where(SIZES <= 1e6, 0.10, 0.01)
    assert misfit_notes({"n_params": SIZES[:11]}, residuals[:11]) == []
