"""Reading anybody's table of runs: one clear line for what is wrong with it."""

import polars as pl
import pytest

from stages.foundation.errors import InputError
from stages.runs.table import numbers, read_table


@pytest.fixture
def table(tmp_path):
    file = tmp_path / "runs.csv"
    pl.DataFrame(
        {
            "N": [1e6, 2e6, 4e6],
            "D": [1e8, 2e8, 4e8],
            "loss": [3.0, 2.9, 2.8],
            "arm": ["a", "a", "b"],
        }
    ).write_csv(file)
    return file


def test_columns_are_mapped_and_rows_filtered(table):
    rows = read_table(
        table, {"n_params": "N", "value": "loss"}, "arm = 'a' AND N < 2000000"
    )
    assert rows.select("n_params", "value").rows() == [(1e6, 3.0)]


def test_parquet_reads_the_same(table, tmp_path):
    pl.read_csv(table).write_parquet(tmp_path / "runs.parquet")
    assert read_table(tmp_path / "runs.parquet").equals(read_table(table))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ({"n_params": "M"},),
            "no column 'M' for n_params; columns are N, D, loss, arm",
        ),
        ((None, "nothing > 1"), "cannot filter by 'nothing > 1'"),
        ((None, "N > (("), "cannot filter by"),
        ((None, "N > 1e12"), "no rows where N > 1e12"),
    ],
)
def test_faults_are_one_line(table, arguments, message):
    with pytest.raises(InputError) as error:
        read_table(table, *arguments)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_missing_file_and_a_broken_parquet(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "bad.parquet").write_bytes(b"nonsense")
    with pytest.raises(InputError, match="not readable as parquet"):
        read_table(tmp_path / "bad.parquet")


def test_text_and_holes_in_a_number_column_name_row_and_value():
    frame = pl.DataFrame(
        {"value": ["3.1", "oops", "2.9"], "n_params": [1.0, 2.0, None]}
    )
    with pytest.raises(
        InputError, match="column 'value', row 2: 'oops' is not a finite number"
    ):
        numbers(frame, ["value"], "t.csv")
    with pytest.raises(InputError, match="column 'n_params', row 3: None"):
        numbers(frame, ["n_params"], "t.csv")
    with pytest.raises(InputError, match="map one with --map flops=COLUMN"):
        numbers(frame, ["flops"], "t.csv")


def test_diverged_rows_are_left_out_and_counted(tmp_path, caplog):
    file = tmp_path / "runs.csv"
    pl.DataFrame(
        {"value": [3.0, 99.0, 2.0], "diverged": [False, True, None]}
    ).write_csv(file)
    assert read_table(file)["value"].to_list() == [3.0, 2.0]
    assert caplog.messages == [f"{file}: 1 of 3 rows are marked diverged and left out"]
    pl.DataFrame({"value": [3.0], "diverged": [True]}).write_csv(file)
    with pytest.raises(InputError, match="no rows"):
        read_table(file)


@pytest.mark.parametrize(
    "marks", [[0, 1, 0], ["no", "yes", "no"], ["False", "TRUE", ""], [0.0, 1.0, None]]
)
def test_a_mark_of_divergence_is_read_however_it_is_written(marks, tmp_path):
    table = pl.DataFrame({"value": [2.0, 9.0, 3.0], "diverged": marks}, strict=False)
    table.write_csv(tmp_path / "runs.csv")
    assert read_table(tmp_path / "runs.csv")["value"].to_list() == [2.0, 3.0]


def test_another_mark_is_refused(tmp_path):
    table = pl.DataFrame({"value": [2.0, 9.0], "diverged": ["no", "maybe"]})
    table.write_csv(tmp_path / "runs.csv")
    with pytest.raises(InputError, match="row 2: 'maybe' is neither yes nor no"):
        read_table(tmp_path / "runs.csv")


@pytest.mark.parametrize("stored", [1.7976931348623157e308, 3.4028234663852886e38])
def test_a_stored_infinity_is_named(stored):
    table = pl.DataFrame({"value": [2.0, stored]})
    with pytest.raises(InputError, match="row 2: .* is how a tracker stores infinity"):
        numbers(table, ["value"], "runs.csv")
