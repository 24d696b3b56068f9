"""Rows of --predict outside of the mixtures trained carry their distance."""

import polars as pl
import pytest

from stages.run_columns.asked_mixtures import with_mixtures

RUNS = pl.DataFrame({"share_a": [0.2, 0.6], "share_b": [0.8, 0.4], "value": [2.0, 1.9]})


def test_each_row_says_how_much_of_its_mixture_would_have_to_move():
    asked = [{"share_a": 0.5, "share_b": 0.5}, {"share_a": 0.9, "share_b": 0.1}]
    rows, [note] = with_mixtures(asked, RUNS, "runs.csv")
    assert [row["mixture_beyond"] for row in rows] == pytest.approx([0.0, 0.3])
    assert note["code"] == "mixture_beyond"
    assert "1 of 2 mixtures" in note["message"] and "30.0%" in note["message"]


def test_tables_without_shares_stay_as_they_are():
    asked = [{"n_params": 1e9}]
    assert with_mixtures(asked, RUNS, "runs.csv") == (asked, [])
    assert with_mixtures([{"share_a": 1.0}], RUNS.select("value"), "r")[1] == []
