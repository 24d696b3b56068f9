"""A file of runs is a table with columns of their own names and of bounded size, or one line says why not."""

import gzip

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from stages.foundation.errors import InputError
from stages.runs import table_file
from stages.runs.table import numbers, read_table
from stages.runs.table_file import read_file

CSV = "n_params,value\n1e8,2.5\n2e8,2.25\n"


def refused(path, match):
    with pytest.raises(InputError, match=match) as error:
        read_file(path)
    assert "\n" not in str(error.value)


def test_a_path_that_exists_is_itself_and_no_pattern(tmp_path):
    (tmp_path / "runs1.csv").write_text("other\n1\n")
    (tmp_path / "runs[1].csv").write_text(CSV)
    assert read_file(tmp_path / "runs[1].csv")["value"].to_list() == [2.5, 2.25]
    pl.read_csv(CSV.encode()).write_parquet(tmp_path / "runs[1].parquet")
    assert read_file(tmp_path / "runs[1].parquet")["value"].to_list() == [2.5, 2.25]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_packed_csv_is_read(tmp_path, pack):
    (tmp_path / "runs.csv").write_bytes(pack(CSV.encode()))
    assert read_file(tmp_path / "runs.csv")["value"].to_list() == [2.5, 2.25]


def test_a_bomb_is_refused_by_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(table_file, "MOST_BYTES", 10_000)
    (tmp_path / "runs.csv").write_bytes(gzip.compress(b"a\n" + b"1\n" * 100_000))
    refused(tmp_path / "runs.csv", "too large for a table of runs")
    monkeypatch.setattr(table_file, "MOST_VALUES", 1000)
    zeros = pa.table({"value": np.zeros(2000)})
    pq.write_table(zeros, tmp_path / "runs.parquet", compression="zstd")
    refused(tmp_path / "runs.parquet", "2000 rows of 1 columns")


def test_two_columns_of_one_name_are_named(tmp_path):
    (tmp_path / "runs.csv").write_text("value,value\n1,2\n")
    refused(tmp_path / "runs.csv", "two columns have the name 'value'")
    columns = [pa.array([1.0]), pa.array([2.0])]
    twice = pa.Table.from_arrays(columns, names=["value", "value"])
    pq.write_table(twice, tmp_path / "runs.parquet")
    refused(tmp_path / "runs.parquet", "two columns have the name 'value'")


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("a.csv", b"d\xe9\n\xe9\n"),
        ("a.csv", b""),
        ("a.parquet", b"PAR1 no"),
        ("a.csv", b"\x1f\x8bno"),
    ],
)
def test_what_is_no_table_is_one_line(tmp_path, name, raw):
    (tmp_path / name).write_bytes(raw)
    refused(tmp_path / name, f"{name}: not readable as")


def test_columns_of_other_types(tmp_path):
    words = pl.Series("n_params", ["1e8", "2e8"])
    for kind in (pl.Categorical, pl.Binary):
        pl.DataFrame([words.cast(kind)]).write_parquet(tmp_path / "a.parquet")
        found = numbers(read_table(tmp_path / "a.parquet"), ["n_params"], "a")
        assert found["n_params"].tolist() == [1e8, 2e8]
    for odd in ([[1.0], [2.0]], [{"a": 1}, {"a": 2}]):
        pl.DataFrame({"n_params": odd}).write_parquet(tmp_path / "a.parquet")
        with pytest.raises(InputError, match="'n_params' holds .*, not numbers"):
            numbers(read_table(tmp_path / "a.parquet"), ["n_params"], "a")


@pytest.mark.parametrize("value", [1e300, 1e-300])
def test_numbers_whose_powers_no_float_holds_are_named(value):
    with pytest.raises(InputError, match=r"'value', row 2: .* is outside 1e-60 to"):
        numbers(pl.DataFrame({"value": [1.0, value]}), ["value"], "runs.csv")
