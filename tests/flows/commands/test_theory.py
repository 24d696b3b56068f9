"""`assay isoflop`, `pruning-theory` and `contained` as a user meets them."""

import json

import polars as pl
import pytest

from flows.cli import app
from stages.foundation.errors import InputError

# optimum of E + N / C^.5 + C^.5 / N, up to constants: N = C^.5
SIZES = [1e8, 3e8, 1e9, 3e9, 1e10, 3e10]


@pytest.fixture
def said(capsys):
    """Function: arguments -> what the command prints."""

    def run(*arguments):
        app([str(argument) for argument in arguments], standalone_mode=False)
        return capsys.readouterr().out

    return run


@pytest.fixture
def runs(tmp_path):
    rows = [
        {"N": size, "C": flops, "loss": 2 + size / flops**0.5 + flops**0.5 / size}
        for flops in (1e18, 1e19)
        for size in SIZES
    ]
    pl.DataFrame(rows).write_csv(tmp_path / "runs.csv")
    return tmp_path / "runs.csv"


MAP = ["--map", "n_params=N", "--map", "flops=C", "--map", "value=loss"]


def test_isoflop_finds_the_size_of_least_loss(said, runs):
    found = json.loads(said("isoflop", runs, *MAP, "--at", 1e20, "--json"))
    assert found["exponent"] == pytest.approx(0.5, abs=0.05)
    assert found["budgets"][0]["n_params"] == pytest.approx(1e9, rel=0.15)
    assert found["at"][0]["n_params"] == pytest.approx(1e10, rel=0.3)
    printed = said("isoflop", runs, *MAP)
    assert "Best size of each budget" in printed and "On the line" not in printed
    assert max(map(len, printed.splitlines())) <= 100


def test_items_are_clustered_before_their_score_is_foretold(said, tmp_path):
    flops = [1e18 * 2**k for k in range(7)]
    rows = [
        {
            "task": f"t{i}",
            "C": budget,
            "pass": 1
            - (2 + 60 * (i % 2)) ** -0.1 * (1e18 / budget) ** (0.9 - 0.6 * (i % 2)),
            "n": 30,
        }
        for i in range(40)
        for budget in flops
    ]
    pl.DataFrame(rows).with_columns(pl.col("pass").clip(0, 1)).write_csv(
        tmp_path / "items.csv"
    )
    table = [tmp_path / "items.csv", "--map", "item=task", "--map", "flops=C"]
    table += ["--map", "value=pass", "--map", "tries=n"]
    found = json.loads(said("items", *table, "--at", 2e20, "--json"))
    assert [each["items"] for each in found["clusters"]] == [20, 20]
    assert {found["items"][f"t{i}"] for i in range(0, 40, 2)} != {
        found["items"][f"t{i}"] for i in range(1, 40, 2)
    }
    last = found["held_out"][0]["measured"]
    assert last < found["at"][0]["value"] <= 1
    printed = said("items", *table, "--at", 2e20)
    assert "40 items by the compute" in printed and "foretold from below" in printed
    assert max(map(len, printed.splitlines())) <= 100
    with pytest.raises(InputError, match="no column 'item'"):
        said("items", tmp_path / "items.csv")


def test_projektor_predicts_mixtures_at_a_size_that_was_never_run(said, tmp_path):
    rows = [
        {
            "share_a": a,
            "share_b": 1 - a,
            "n_params": size,
            "distance": 1 + a**2,
            "value": 3 + a - 0.1 * k,
        }
        for k, size in enumerate((1e6, 1e8))
        for a in (0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 0.95, 0.5)
    ]
    pl.DataFrame(rows).write_csv(tmp_path / "runs.csv")
    wanted = {
        "share_a": [0.3],
        "share_b": [0.7],
        "n_params": [1e10],
        "distance": [1.09],
    }
    pl.DataFrame(wanted).write_csv(tmp_path / "wanted.csv")
    asked = ["--method", "projektor", "--predict", tmp_path / "wanted.csv", "--json"]
    found = json.loads(said("mixture", tmp_path / "runs.csv", *asked))
    # .1 less with every hundredfold of the size
    assert found["predictions"] == pytest.approx([3.3 - 0.2], abs=1e-6)


def test_pruning_theory_keeps_easy_in_small_pools_and_hard_in_large_ones(said):
    rows = json.loads(said("pruning-theory", "--pool", 1, "--pool", 8, "--json"))
    assert [row["better"] for row in rows] == ["easy", "hard"]
    assert all(row["all"] <= row["hard"] for row in rows)
    assert "50 % of a pool" in said("pruning-theory", "--pool", 4)


def test_contained_names_the_pair_and_what_is_not_compared(said, tmp_path):
    lake = tmp_path / "lake"
    lake.mkdir()
    whole = pl.DataFrame({"day": range(400), "visits": range(0, 1200, 3)})
    whole.write_parquet(lake / "all.parquet")
    whole.head(300).write_parquet(lake / "daily.parquet")
    whole.select(pair=pl.concat_list("day", "visits")).write_parquet(
        lake / "lists.parquet"
    )
    found = json.loads(said("contained", lake, "--json"))
    [pair] = found["pairs"]
    assert (pair["child"], pair["parent"]) == ("daily.parquet", "all.parquet")
    assert pair["is_certain"] and pair["rows_checked"] == 300
    assert list(found["skipped"]) == ["lists.parquet"]
    assert found["cost_after"] <= found["cost_before"]
    printed = said("contained", lake)
    assert "daily.parquet" in printed and "lists.parquet is not compared" in printed


def test_a_folder_that_is_not_there_is_refused(said, tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        said("contained", tmp_path / "lake")
