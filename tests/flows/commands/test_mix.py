"""`assay mix` from the shell: its JSON, its exit codes."""

import json
import os
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from flows.commands.mix import named_numbers
from stages.foundation.errors import InputError
from stages.foundation.stage import ROOT


def assay(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", "mix", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.fixture
def tables(tmp_path):
    random = np.random.default_rng(0)
    shares = random.dirichlet(np.ones(2), 12)
    runs = [f"r{i}" for i in range(12)]
    loss = 2 + (shares[:, 0] - 0.6) ** 2 + 0.001 * random.standard_normal(12)
    other = 3 - shares[:, 0]
    pl.DataFrame({"run": runs, "web": shares[:, 0], "code": shares[:, 1]}).write_csv(
        tmp_path / "ratios.csv"
    )
    pl.DataFrame({"run": runs, "m0": loss, "m1": other}).write_csv(
        tmp_path / "metrics.csv"
    )
    return tmp_path / "ratios.csv", tmp_path / "metrics.csv"


def test_the_json_has_the_promised_keys(tables, tmp_path):
    done = assay(*tables, "--weights", "m0=1", "--json", "--figures", tmp_path / "f")
    assert done.returncode == 0 and done.stderr == ""
    said = json.loads(done.stdout)
    assert said["proposal"]["web"] == pytest.approx(0.6, abs=0.03)
    low, high = said["interval"]["web"]
    assert low <= said["proposal"]["web"] <= high
    value, low, high = said["predicted"]["m0"]
    assert value == pytest.approx(2.0, abs=0.005) and low < value < high
    assert len(said["figures"]) == 3


def test_bad_input_is_2_and_too_little_evidence_1_in_one_line(tables):
    done = assay(*tables, "--weights", "nothing=1")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    few = tables[0].parent / "few.csv"
    pl.read_csv(tables[0])[:4].write_csv(few)
    done = assay(few, tables[1])
    assert done.returncode == 1
    assert "4 different mixtures of 2 domains" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("word", ["m0", "m0=much", "=1", "m0=nan"])
def test_words_that_are_no_pair_are_one_line(word):
    with pytest.raises(InputError, match="write NAME=NUMBER"):
        named_numbers("--weights", [word])


def test_a_design_is_the_table_that_the_command_reads_afterwards(tmp_path):
    ratios, metrics = tmp_path / "ratios.csv", tmp_path / "metrics.csv"
    asked = ("--design", "web,code", "--runs", 12, "--floor", "web=.2")
    done = assay(*asked, "--unique-tokens", "web=3e12,code=1e12", "--out", ratios)
    assert done.returncode == 0 and done.stdout.rstrip().endswith(
        "12 runs of 2 domains"
    )
    table = pl.read_csv(ratios)
    assert table.columns == ["run", "web", "code"]
    assert table["web"][:3].to_list() == [0.75, 1.0, 0.2]  # pools, then the corners
    loss = 2 + (table["web"] - 0.6) ** 2
    pl.DataFrame({"run": table["run"], "loss": loss}).write_csv(metrics)
    found = assay(ratios, metrics, "--json")
    assert found.returncode == 0
    assert json.loads(found.stdout)["proposal"]["web"] == pytest.approx(0.6, abs=0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--design", "web"), "--design web: 1 domain; name two domains or more"),
        (("--design", "web,web"), "'web' is named twice"),
        (("--design", "web,run"), "'run' is no name of a domain"),
        (("--design", "web,code", "--weights", "m=1"), "--weights does not belong to"),
        (("--design", "web,code", "--runs", "4"), "4 runs of 2 domains cannot tell"),
        (("--runs", "9"), "--runs belongs to --design"),
        ((), "give RATIOS and METRICS, or --design"),
    ],
)
def test_what_is_no_design_is_refused_in_one_line(arguments, message):
    done = assay(*arguments)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert message in done.stderr


def test_an_earlier_swarm_is_reused_with_what_was_reused(tables, tmp_path):
    new = tmp_path / "new.csv", tmp_path / "reached.csv"
    shares = np.random.default_rng(2).dirichlet(np.ones(3), 8)
    runs = [f"n{i}" for i in range(8)]
    columns = dict(zip(("news", "blogs", "code"), shares.T, strict=True))
    pl.DataFrame({"run": runs, **columns}).write_csv(new[0])
    loss = 2 + (shares[:, :2].sum(axis=1) - 0.6) ** 2 + 0.1 * shares[:, 0] ** 2
    pl.DataFrame({"run": runs, "m0": loss}).write_csv(new[1])
    done = assay(
        *(*new, "--reuse", *tables, "--split", "web/news=.5,web/blogs=.5", "--json")
    )
    assert done.returncode == 0
    said = json.loads(done.stdout)
    assert said["n_runs"] == 20
    [reused] = [note for note in said["warnings"] if note["code"] == "reused"]
    assert "web counts as 0.5 news and 0.5 blogs" in reused["message"]
    lost = assay(*new, "--split", "web/news=1")
    assert lost.returncode == 2 and "--split belongs to --reuse" in lost.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--tokens", "1e9"], "--tokens does not belong to --design"),
        (["--reuse", "a.csv", "b.csv"], "--reuse does not belong to --design"),
        (["--figures", "f"], "--figures does not belong to --design"),
        (
            ["--floor", "a=.5", "--floor", "b=.5"],
            "floors and caps leave room for 1 mixtures, and a fit needs 5",
        ),
        (["--out", "{file}/x.csv"], "{file} is no folder; give another place"),
    ],
)
def test_a_design_that_could_not_be_used_is_refused(tmp_path, options, said):
    (file := tmp_path / "file").write_text("")
    done = assay("--design", "a,b", *[each.format(file=file) for each in options])
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert said.format(file=file) in done.stderr and not done.stdout


def test_a_domain_that_bounds_hold_in_place_is_named():
    done = assay("--design", "a,b,c", "--floor", "b=.2", "--cap", "b=.2")
    assert done.returncode == 2
    assert "--floor and --cap leave b no share but 0.2" in done.stderr
