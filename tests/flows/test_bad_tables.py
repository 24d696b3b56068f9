"""Tables that cannot be fitted: one line that names the column and the cure, exit code 2; copies of
runs are a coded warning.
"""

import json
import os
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from stages.foundation.stage import ROOT


def assay(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
    )


def good():
    rng = np.random.default_rng(0)
    n, d = (
        grid.ravel()
        for grid in np.meshgrid(np.geomspace(1e7, 1e9, 4), np.geomspace(2e8, 5e10, 5))
    )
    loss = (1.8 + 400 / n**0.34 + 1200 / d**0.33) * np.exp(
        0.005 * rng.standard_normal(n.size)
    )
    return pl.DataFrame(
        {"n_params": n, "n_tokens_seen": d, "value": loss, "data": ["a", "b"] * 10}
    )


def with_cell(column, value):
    """The good table with one cell of row 3 replaced."""
    cells = good()[column].to_list()
    return good().with_columns(
        pl.Series(column, [*cells[:2], value, *cells[3:]], strict=False)
    )


def text_cell(column, text):
    cells = [str(x) for x in good()[column].to_list()]
    return good().with_columns(pl.Series(column, [*cells[:2], text, *cells[3:]]))


BAD = {
    "missing column": (
        good().drop("n_params"),
        "no column 'n_params'",
        "--map n_params=COLUMN",
    ),
    "text": (
        text_cell("value", "diverged"),
        "column 'value', row 3: 'diverged'",
        "--where",
    ),
    "negative loss": (
        with_cell("value", -2.0),
        "column 'value', row 3: -2 is not positive",
        "--where",
    ),
    "few points": (
        good()[[0, 7, 12]],
        "5 unknowns here but the table has 3",
        "take a smaller law",
    ),
    "one size": (
        good().with_columns(n_params=1e8),
        "needs several values of n_params",
        "use a law without n_params",
    ),
    "nan": (with_cell("value", float("nan")), "column 'value', row 3: nan", "--where"),
    "empty cell": (
        with_cell("n_tokens_seen", None),
        "column 'n_tokens_seen', row 3: None",
        "--where",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_fit_and_compare_name_the_column_and_the_cure(kind, tmp_path):
    table, what, cure = BAD[kind]
    table.write_csv(tmp_path / "runs.csv")
    for arguments in (
        ["fit", "chinchilla", tmp_path / "runs.csv"],
        [
            "compare",
            tmp_path / "runs.csv",
            "--arm",
            "data",
            "--at",
            "1e20",
            "--law",
            "chinchilla",
        ],
    ):
        if kind == "few points" and arguments[0] == "compare":
            # separate parameters for each arm
            what = "unknowns here but the table has 3"
        done = assay(*arguments)
        assert done.returncode == 2, done.stderr
        line = done.stderr.strip()
        assert len(line.splitlines()) == 1 and what in line and cure in line, line


def test_duplicate_rows_are_a_coded_warning(tmp_path):
    table = pl.concat([good(), good()[[4, 7]]])
    table.write_csv(tmp_path / "runs.csv")
    done = assay("fit", "chinchilla", tmp_path / "runs.csv", "--bootstrap", 0, "--json")
    [warning] = [
        w for w in json.loads(done.stdout)["warnings"] if w["code"] == "duplicate_rows"
    ]
    assert (
        warning["message"].startswith("2 rows repeat")
        and "first: row 21" in warning["message"]
        and "drop copies" in warning["message"]
    )
    done = assay(
        "compare",
        tmp_path / "runs.csv",
        "--arm",
        "data",
        "--at",
        "1e20",
        "--law",
        "chinchilla",
        "--json",
    )
    assert "duplicate_rows" in [w["code"] for w in json.loads(done.stdout)["warnings"]]


def test_auto_says_what_it_chose(tmp_path):
    good().write_csv(tmp_path / "runs.csv")
    done = assay(
        "fit",
        "auto",
        tmp_path / "runs.csv",
        "--holdout",
        "n_tokens_seen > 1e10",
        "--bootstrap",
        50,
        "--json",
    )
    fit = json.loads(done.stdout)
    assert (
        fit["holdout"]["mape"] < 0.02
        and fit["choice"]["variant"].startswith(fit["law"])
        and fit["choice"]["ranking"]
    )
