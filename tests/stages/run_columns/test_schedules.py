"""Schedules as a table of logged losses holds them."""

import numpy as np
import polars as pl
import pytest

from stages.foundation.errors import InputError
from stages.run_columns.schedules import schedules_of


def logged(name, steps, rates):
    return pl.DataFrame({"schedule": [name] * len(steps), "step": steps, "lr": rates})


def test_rates_between_logged_steps_lie_on_a_line():
    table = pl.concat(
        [logged("a", [2, 4], [0.2, 0.4]), logged("b", [1, 3], [1.0, 0.0])]
    )
    found = schedules_of([(table, "runs.csv")])
    assert found.labels == ("a", "b")
    np.testing.assert_allclose(found.rates[0], [0.2, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(found.rates[1], [1.0, 0.5, 0.0])
    assert found.numbered(table)["schedule"].to_list() == [1, 1, 2, 2]
    [said] = found.notes()
    assert said["code"] == "schedule_start" and "step 2 of 'a'" in said["message"]


def test_a_schedule_goes_on_in_the_table_to_be_predicted():
    tables = [
        (logged("a", [1, 2], [0.1, 0.1]), "runs.csv"),
        (logged("a", [4], [0.3]), "more.csv"),
    ]
    np.testing.assert_allclose(schedules_of(tables).rates[0], [0.1, 0.1, 0.2, 0.3])


def test_two_rates_at_one_step_and_no_rate_are_refused():
    with pytest.raises(InputError, match=r"row 2: schedule 'a' has .* 0\.1 and 0\.2"):
        schedules_of([(logged("a", [5, 5], [0.1, 0.2]), "runs.csv")])
    with pytest.raises(InputError, match=r"no column 'lr'.*--map lr=COLUMN"):
        schedules_of([(logged("a", [5], [0.1]).drop("lr"), "runs.csv")])
