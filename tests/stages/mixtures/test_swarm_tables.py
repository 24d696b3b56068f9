"""Two plain tables joined by run; what is no such table is one line."""

import numpy as np
import polars as pl
import pytest

from stages.foundation.errors import InputError, RefusedError
from stages.mixtures.swarm_tables import read_swarm

SHARES = np.random.default_rng(0).dirichlet(np.ones(3), 12).round(6)
SHARES[:, 2] = (1 - SHARES[:, 0] - SHARES[:, 1]).round(6)
RUNS = [f"r{i}" for i in range(12)]


def ratios(shares=SHARES, runs=RUNS, **more):
    named = {name: shares[:, i] for i, name in enumerate("abc")}
    return pl.DataFrame({"run": runs, **named, **more})


def metrics(runs=RUNS, **columns):
    values = columns or {"m0": 2 + SHARES[:, 0], "m1": 3 - SHARES[:, 1]}
    return pl.DataFrame({"run": runs, **values})


@pytest.fixture
def read(tmp_path):
    """Function: two frames -> the swarm of their files."""

    def through_files(first, second):
        first.write_csv(tmp_path / "ratios.csv")
        second.write_csv(tmp_path / "metrics.csv")
        return read_swarm(tmp_path / "ratios.csv", tmp_path / "metrics.csv")

    return through_files


def test_runs_are_joined_by_name_whatever_their_order(read):
    swarm = read(ratios(), metrics().reverse())
    assert swarm.domains == ("a", "b", "c") and swarm.metrics == ("m0", "m1")
    np.testing.assert_allclose(swarm.values[:, 0], 2 + swarm.shares[:, 0])
    assert swarm.notes == []


def test_runs_without_a_partner_are_counted_and_left_out(read):
    second = metrics().with_columns(run=pl.Series(["other", *RUNS[1:]]))
    swarm = read(ratios(), second)
    assert swarm.runs == tuple(RUNS[1:])
    [said] = swarm.notes
    assert said["code"] == "unmatched_runs"
    assert "1 of " in said["message"] and "(r0)" in said["message"]


def test_numbers_name_the_same_run_as_whole_or_broken_numbers(read):
    swarm = read(
        ratios(runs=list(range(12))), metrics(runs=[float(i) for i in range(12)])
    )
    assert len(swarm.runs) == 12


def test_per_cent_are_shares_and_rounded_ones_are_scaled_with_a_note(read):
    swarm = read(ratios(100 * SHARES), metrics())
    np.testing.assert_allclose(swarm.shares, SHARES, atol=1e-9)
    swarm = read(ratios(SHARES.round(2)), metrics())
    np.testing.assert_allclose(swarm.shares.sum(axis=1), 1)
    assert [n["code"] for n in swarm.notes] == ["shares_scaled"]


def test_diverged_runs_and_columns_of_trackers_are_not_read(read):
    flags = ["yes", *["no"] * 11]
    swarm = read(
        ratios(index=list(range(12))), metrics().with_columns(diverged=pl.Series(flags))
    )
    assert len(swarm.runs) == 11 and swarm.domains == ("a", "b", "c")


def cell(frame, column, value):
    values = frame[column].to_list()
    return frame.with_columns(
        pl.Series(column, [*values[:3], value, *values[4:]], strict=False)
    )


BAD = {
    "no run": (ratios().drop("run"), metrics(), "no column 'run'"),
    "duplicate": (
        cell(ratios(), "run", "r0"),
        metrics(),
        "run 'r0' stands in rows 1, 4",
    ),
    "nothing in common": (
        ratios(),
        metrics(runs=[f"x{i}" for i in range(12)]),
        "share no run",
    ),
    "no whole": (
        cell(ratios(), "a", 0.9),
        metrics(),
        "run 'r3': the 3 columns beside 'run' add up to",
    ),
    "negative": (cell(ratios(), "a", -0.1), metrics(), "is negative"),
    "text": (
        ratios().with_columns(a=pl.lit("much")),
        metrics(),
        "column 'a', row 1: 'much'",
    ),
    "missing value": (
        ratios(),
        cell(metrics(), "m1", None),
        "column 'm1', row 4: None",
    ),
    "infinite value": (
        ratios(),
        cell(metrics(), "m1", float("inf")),
        "column 'm1', row 4: inf",
    ),
    "one domain": (ratios().select("run", "a"), metrics(), "1 columns beside 'run'"),
    "no metric": (ratios(), metrics().select("run"), "one column a metric"),
    "empty": (ratios().clear(), metrics(), "no rows"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_tables_are_one_line_that_names_the_place(read, name):
    first, second, said = BAD[name]
    with pytest.raises(InputError) as error:
        read(first, second)
    assert said in str(error.value)


def test_what_the_runs_cannot_tell_is_refused(read):
    with pytest.raises(RefusedError, match=r"5 different mixtures of 3 domains"):
        read(ratios()[:5], metrics()[:5])
    same = np.column_stack(
        [np.full(12, 0.2), 0.8 * SHARES[:, 0], 0.8 - 0.8 * SHARES[:, 0]]
    )
    with pytest.raises(RefusedError, match=r"share of 'a' is 0.2 in all 12 runs"):
        read(ratios(same), metrics())
    tied = np.column_stack([SHARES[:, 0] / 2, SHARES[:, 0] / 2, 1 - SHARES[:, 0]])
    with pytest.raises(RefusedError, match="shares move together"):
        read(ratios(tied), metrics())
    with pytest.raises(RefusedError, match="metric 'm0' is 2 in all"):
        read(ratios(), metrics(m0=np.full(12, 2.0)))
