"""Sizes read off a table: the exponent of a known law, near-equal budgets as one, tokens that fit the budget."""

import numpy as np
import polars as pl
import pytest

from stages.foundation.errors import InputError, RefusedError
from stages.laws import get_law
from stages.run_tables.isoflop_table import budgets_of, isoflop_table

P = {"E": 1.7, "A": 400.0, "alpha": 0.34, "B": 2000.0, "beta": 0.40}


@pytest.fixture
def table():
    """Six budgets, twenty sizes each, values of Chinchilla's law; tokens rounded, so budgets differ by up to .3 %."""
    flops, n_params = (
        axis.ravel()
        for axis in np.meshgrid(
            np.geomspace(1e17, 1e20, 6), np.geomspace(3e5, 3e10, 20)
        )
    )
    tokens = flops / 6 / n_params * np.tile([1.0, 1.003], 60)
    columns = {"n_params": n_params, "n_tokens_seen": tokens}
    return pl.DataFrame(columns | {"value": get_law("chinchilla").value(P, columns)})


def test_the_exponent_of_the_law_is_found_and_its_optimum(table):
    found = isoflop_table(table, "runs.csv", [1e21])
    assert found["exponent"] == pytest.approx(0.40 / 0.74, abs=0.01)
    assert len(found["budgets"]) == 6 and found["n_left_out"] == 0
    [far] = found["at"]
    assert far["n_params"] == pytest.approx(
        get_law("chinchilla").optimum(P, 1e21)[0], rel=0.1
    )
    assert 6 * far["n_params"] * far["n_tokens"] == pytest.approx(1e21)
    assert far["n_params"] == pytest.approx(found["scale"] * 1e21 ** found["exponent"])


def test_a_column_of_flops_stands_for_the_tokens(table):
    by_tokens = isoflop_table(table, "runs.csv")
    flops = 6 * table["n_params"] * table["n_tokens_seen"]
    by_flops = isoflop_table(
        table.drop("n_tokens_seen").with_columns(flops=flops), "runs.csv"
    )
    assert by_flops == by_tokens


def test_runs_less_than_a_percent_apart_are_one_budget():
    one, near, other = budgets_of(np.array([1e18, 1.009e18, 1.03e18]))
    assert one == near == pytest.approx(1e18 * 1.009**0.5)
    assert other == pytest.approx(1.03e18)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": -1.0}, "value"),
    ],
)
def test_what_cannot_be_read_is_one_line(table, change, message):
    bad = table.with_columns(**{name: pl.lit(value) for name, value in change.items()})
    with pytest.raises(InputError, match=message):
        isoflop_table(bad, "runs.csv")


def test_runs_that_carry_no_answer_are_refused_and_not_called_bad(table):
    one_size = table.with_columns(n_params=pl.lit(1e8))
    with pytest.raises(RefusedError, match="only 0 of"):
        isoflop_table(one_size, "runs.csv")
