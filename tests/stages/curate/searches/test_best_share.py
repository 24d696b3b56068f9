"""The cut on disk keeps what sorting everything would keep."""

import numpy as np
import polars as pl
import pytest

from stages.curate.searches.best_share import (
    CutTask,
    last_key,
    value_of,
    value_records,
    write_cut,
)
from stages.curate.work.sorted_runs import LOSER, mapped, write_records
from stages.curation.selecting.selection import keep_fraction
from stages.foundation.files import read_json


def runs_of(folder, values, weights, take, n=4):
    """n runs of every n-th document."""
    files = []
    for run in range(n):
        files.append(folder / f"values-x-{run:06d}.bin")
        write_records(
            files[-1],
            value_records(
                values[run::n], np.arange(len(values))[run::n], weights[run::n], take
            ),
        )
    return files


def kept_of(folder, runs, skip, keep, take, n):
    write_cut(runs, skip, keep, take, folder / "cut.json")
    task = CutTask(folder, tuple(read_json(folder / "cut.json")["keys"]), 1)
    gone = [
        int(ordinal)
        for run in runs
        for ordinal in mapped(folder / f"losers-{task(run)}.bin", LOSER)["ordinal"]
    ]
    assert len(gone) == len(set(gone))
    return sorted(set(range(n)) - set(gone))


@pytest.mark.parametrize("take", ["high", "low"])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.77, 0.999])
def test_it_keeps_what_the_search_in_memory_keeps(tmp_path, take, share):
    rng = np.random.default_rng(int(share * 100))
    values, weights = rng.normal(size=301), rng.integers(1, 90, 301)
    frame = pl.DataFrame(
        {"id": [f"{at:03d}" for at in range(301)], "score": values, "n_tokens": weights}
    )
    wanted = [int(name) for name in keep_fraction(frame, share, take=take)["id"]]
    assert (
        kept_of(tmp_path, runs_of(tmp_path, values, weights, take), 0, share, take, 301)
        == wanted
    )


def test_a_middle_band(tmp_path):
    values = np.random.default_rng(3).permutation(100).astype(float)
    kept = kept_of(
        tmp_path,
        runs_of(tmp_path, values, np.ones(100), "high"),
        0.25,
        0.5,
        "high",
        100,
    )
    assert sorted(values[kept]) == list(range(25, 75))
    assert read_json(tmp_path / "cut.json")["values"] == [75.0, 25.0]


def test_ties_with_the_last_stay_and_no_value_is_worst(tmp_path):
    values = np.array([1.0, 2.0, 2.0, 2.0, 3.0, np.nan, -0.0, 0.0, -np.inf])
    runs = runs_of(tmp_path, values, np.ones(9), "high", 2)
    assert kept_of(tmp_path, runs, 0, 0.3, "high", 9) == [1, 2, 3, 4]
    (tmp_path / "low").mkdir()
    assert kept_of(
        tmp_path / "low",
        runs_of(tmp_path / "low", values, np.ones(9), "low"),
        0,
        0.3,
        "low",
        9,
    ) == [6, 7, 8]


@pytest.mark.parametrize("take", ["high", "low"])
def test_a_key_is_its_value(take):
    values = np.array([0.0, -1.5, 3e300, 5e-324, -np.inf, np.inf])
    records = value_records(values, np.arange(6), np.ones(6), take)
    assert [value_of(int(key), take) for key in records["key"]] == sorted(
        values, reverse=take == "high"
    )


def test_nothing_at_all(tmp_path):
    assert last_key(runs_of(tmp_path, np.zeros(0), np.zeros(0), "high"), 0.5) == 0
