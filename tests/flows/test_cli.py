"""The command line as a user meets it: tables, JSON, exit codes, one-line reasons."""

import json
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from stages.stage import ROOT


def assay(*arguments, cwd=ROOT):
    return subprocess.run([sys.executable, "-m", "flows.cli", *map(str, arguments)], capture_output=True, text=True, cwd=cwd, env=ENVIRONMENT)


@pytest.fixture(autouse=True, scope="module")
def _environment():
    import os

    global ENVIRONMENT
    ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}


@pytest.fixture(scope="module")
def chinchilla_table(tmp_path_factory):
    """60 runs of a known law with 0.5 % noise, under foreign column names."""
    rng = np.random.default_rng(0)
    n, d = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 1e9, 6), np.geomspace(2e8, 5e10, 10)))
    loss = 1.8 + 400 / n**0.34 + 1200 / d**0.33
    frame = pl.DataFrame({"size": n, "tokens": d, "loss": loss * np.exp(0.005 * rng.standard_normal(n.size))})
    file = tmp_path_factory.mktemp("table") / "runs.csv"
    frame.write_csv(file)
    return file


MAP = ["--map", "n_params=size", "--map", "n_tokens_seen=tokens", "--map", "value=loss"]


def test_laws_are_listed_and_described():
    done = assay("laws")
    assert done.returncode == 0 and "chinchilla" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 100
    one = json.loads(assay("laws", "data_constrained", "--json").stdout)[0]
    assert {"formula", "variables", "parameters", "source"} <= set(one)


def test_an_unknown_law_is_one_line_and_exit_code_2():
    done = assay("laws", "nonsense")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("assay: no law is called 'nonsense'") and len(done.stderr.splitlines()) == 1


def test_fit_recovers_the_law_and_writes_the_fit_file(chinchilla_table, tmp_path):
    out = tmp_path / "fit.json"
    done = assay("fit", "chinchilla", chinchilla_table, *MAP, "--holdout", "tokens > 2e10", "--out", out)
    assert done.returncode == 0, done.stderr
    assert max(len(line) for line in done.stdout.splitlines()) <= 100
    fit = json.loads(out.read_text())
    for name, truth in {"E": 1.8, "alpha": 0.34, "beta": 0.33}.items():
        low, high = fit["params"][name]["low"], fit["params"][name]["high"]
        assert low - (high - low) / 2 < truth < high + (high - low) / 2  # one table; coverage is tested over 200
    assert fit["holdout"]["n"] == 12 and fit["holdout"]["mape"] < 0.01 and fit["holdout"]["coverage"] >= 0.5
    assert {"law", "formula", "source", "objective", "n_points", "starts", "rms_log", "warnings", "seconds"} <= set(fit)


def test_predictions_say_how_far_they_reach(chinchilla_table, tmp_path):
    wanted = tmp_path / "wanted.csv"
    pl.DataFrame({"size": [1e9, 1e10], "tokens": [2e10, 2e11]}).write_csv(wanted)
    done = assay("fit", "chinchilla", chinchilla_table, *MAP, "--predict", wanted, "--json")
    near, far = json.loads(done.stdout)["predictions"]
    assert near["extrapolation_decades"] == 0 and far["extrapolation_decades"] == pytest.approx(1)
    assert far["low"] < far["value"] < far["high"]


def test_plan_reads_the_fit_file(chinchilla_table, tmp_path):
    out = tmp_path / "fit.json"
    assay("fit", "chinchilla", chinchilla_table, *MAP, "--out", out)
    done = assay("plan", "--law", out, "--flops", "1e21", "--next-run", "--json")
    answer = json.loads(done.stdout)
    plan = answer["plan"][0]
    assert 6 * plan["n_params"] * plan["n_tokens"] == pytest.approx(1e21, rel=1e-6)
    assert answer["next_runs"][0]["variance_removed"] > 0


@pytest.fixture(scope="module")
def two_arms(tmp_path_factory):
    """Two data sets: `b` is better at every compute; or the same one twice."""
    rng = np.random.default_rng(1)

    def write(name, gap):
        frames = []
        for arm, extra in (("a", gap), ("b", 0.0)):
            for draw in range(5):
                n, d = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 1e9, 3), np.geomspace(2e8, 5e10, 5)))
                loss = (1.8 + extra + 400 / n**0.34 + 1200 / d**0.33) * np.exp(0.005 * rng.standard_normal(n.size))
                frames.append(pl.DataFrame({"n_params": n, "n_tokens_seen": d, "value": loss, "data": arm, "pool_draw": draw}))
        file = tmp_path_factory.mktemp(name) / "runs.csv"
        pl.concat(frames).write_csv(file)
        return file

    return write("apart", 0.15), write("equal", 0.0)


def test_compare_names_the_better_data_and_does_not_split_equals(two_arms):
    apart, equal = two_arms
    arguments = ["--arm", "data", "--at", "1e20", "--cluster", "pool_draw", "--law", "chinchilla", "--json"]
    done = assay("compare", apart, *arguments)
    assert done.returncode == 0, done.stderr
    [budget] = json.loads(done.stdout)["budgets"]
    assert (budget["best"], budget["status"]) == ("b", "decided")
    [budget] = json.loads(assay("compare", equal, *arguments).stdout)["budgets"]
    assert budget["status"] in ("tie", "insufficient_evidence")


def test_compare_refuses_far_beyond_the_data_with_exit_code_1(two_arms):
    done = assay("compare", two_arms[0], "--arm", "data", "--at", "1e27", "--law", "chinchilla")
    assert done.returncode == 1
    assert "no budget can be decided" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["fit", "chinchilla", "none.csv"], "no such file"),
        (["fit", "chinchilla", "TABLE"], "--map n_params=COLUMN"),
        (["fit", "chinchilla", "TABLE", "--map", "n_params"], "write LAW_VAR=COLUMN"),
        (["fit", "chinchilla", "TABLE", *MAP, "--holdout", "tokens > 0"], "leaves 0 rows to fit"),
        (["compare", "TABLE", "--arm", "data", "--at", "1e20", *MAP], "no column 'data'"),
        (["plan", "--law", "none.json", "--flops", "1e20"], "no such file"),
        (["run", "--params", "none.yaml"], "no such file"),
        (["run", "--executor", "magic"], "must be one of"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, reason, chinchilla_table):
    done = assay(*[str(chinchilla_table) if a == "TABLE" else a for a in arguments])
    assert done.returncode == 2, done.stderr
    assert reason in done.stderr and len(done.stderr.strip().splitlines()) == 1
