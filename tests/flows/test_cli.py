"""The command line as a user meets it: tables, JSON, exit codes, one-line reasons."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from stages.foundation.stage import ROOT


def assay(*arguments, cwd=ROOT):
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=ENVIRONMENT,
    )


@pytest.fixture(autouse=True, scope="module")
def _environment():
    import os

    global ENVIRONMENT
    ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}


@pytest.fixture(scope="module")
def chinchilla_table(tmp_path_factory):
    """60 runs of a known law with 0.5 % noise, under foreign column names."""
    rng = np.random.default_rng(0)
    n, d = (
        grid.ravel()
        for grid in np.meshgrid(np.geomspace(1e7, 1e9, 6), np.geomspace(2e8, 5e10, 10))
    )
    loss = 1.8 + 400 / n**0.34 + 1200 / d**0.33
    frame = pl.DataFrame(
        {
            "size": n,
            "tokens": d,
            "loss": loss * np.exp(0.005 * rng.standard_normal(n.size)),
        }
    )
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


def test_laws_of_named_pools_are_listed_and_described_too():
    listed = [law["name"] for law in json.loads(assay("laws", "--json").stdout)]
    assert {"recipe_mix", "half_life_mix", "information_mix"} <= set(listed)
    assert len(listed) == len(set(listed))
    [one] = json.loads(assay("laws", "recipe_mix", "--json").stdout)
    read = {variable["name"] for variable in one["variables"]}
    assert {"share_first", "unique_first", "share_second", "unique_second"} <= read


def test_an_unknown_law_is_one_line_and_exit_code_2():
    done = assay("laws", "nonsense")
    assert done.returncode == 2 and done.stdout == ""
    assert (
        done.stderr.startswith("assay: no law is called 'nonsense'")
        and len(done.stderr.splitlines()) == 1
    )


def test_fit_recovers_the_law_and_writes_the_fit_file(chinchilla_table, tmp_path):
    out = tmp_path / "fit.json"
    done = assay(
        "fit",
        "chinchilla",
        chinchilla_table,
        *MAP,
        "--holdout",
        "tokens > 2e10",
        "--out",
        out,
    )
    assert done.returncode == 0, done.stderr
    assert max(len(line) for line in done.stdout.splitlines()) <= 100
    fit = json.loads(out.read_text())
    for name, truth in {"E": 1.8, "alpha": 0.34, "beta": 0.33}.items():
        low, high = fit["params"][name]["low"], fit["params"][name]["high"]
        assert (
            low - (high - low) / 2 < truth < high + (high - low) / 2
        )  # one table; coverage is tested over 200
    assert (
        fit["holdout"]["n"] == 12
        and fit["holdout"]["mape"] < 0.01
        and fit["holdout"]["coverage"] >= 0.5
    )
    assert {
        "law",
        "formula",
        "source",
        "objective",
        "n_points",
        "starts",
        "rms_log",
        "warnings",
        "seconds",
    } <= set(fit)


FIT_KEYS = {
    "law",
    "formula",
    "source",
    "params",
    "objective",
    "n_points",
    "n_clusters",
    "starts",
    "rms_log",
    "holdout",
    "predictions",
    "warnings",
    "seconds",
}  # the contract of the fit file
PNG = b"\x89PNG"


def test_the_fit_file_keeps_its_contract_and_figures_are_written(
    chinchilla_table, tmp_path
):
    wanted, out, folder = (
        tmp_path / "wanted.csv",
        tmp_path / "fit.json",
        tmp_path / "figures",
    )
    pl.DataFrame({"size": [1e9], "tokens": [2e11], "run": ["next"]}).write_csv(wanted)
    done = assay(
        "fit",
        "chinchilla",
        chinchilla_table,
        *MAP,
        "--holdout",
        "tokens > 2e10",
        "--predict",
        wanted,
        "--out",
        out,
        "--figures",
        folder,
        "--bootstrap",
        60,
        "--json",
    )
    assert done.returncode == 0 and done.stderr == ""
    file, printed = json.loads(out.read_text()), json.loads(done.stdout)
    assert {key: file[key] for key in printed} == printed and set(file) - set(
        printed
    ) == {"state", "content_hash"}
    assert FIT_KEYS <= set(file) and set(file["params"]) == {
        "E",
        "A",
        "alpha",
        "B",
        "beta",
    }
    assert all(
        set(entry) == {"value", "low", "high", "unit", "at_bound", "identified"}
        for entry in file["params"].values()
    )
    assert set(file["starts"]) == {"run", "failed", "same_basin"} and {
        "n",
        "mape",
        "rmse",
        "coverage",
    } <= set(file["holdout"])
    [row] = file["predictions"]
    assert (
        row["run"] == "next"
        and row["low"] < row["value"] < row["high"]
        and row["extrapolation_decades"] > 0
    )
    assert all(
        set(warning) == {"code", "severity", "message"} for warning in file["warnings"]
    )
    assert [path.rpartition("/")[2] for path in file["figures"]] == [
        "fit-curve.png",
        "fit-residuals.png",
        "fit-profiles.png",
    ]
    assert all(Path(path).read_bytes().startswith(PNG) for path in file["figures"])


def test_predictions_say_how_far_they_reach(chinchilla_table, tmp_path):
    wanted = tmp_path / "wanted.csv"
    pl.DataFrame({"size": [1e9, 1e10], "tokens": [2e10, 2e11]}).write_csv(wanted)
    done = assay(
        "fit", "chinchilla", chinchilla_table, *MAP, "--predict", wanted, "--json"
    )
    near, far = json.loads(done.stdout)["predictions"]
    assert near["extrapolation_decades"] == 0 and far[
        "extrapolation_decades"
    ] == pytest.approx(1)
    assert far["low"] < far["value"] < far["high"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"n": [1e9]}, "no column 'size' for n_params"),
        ({"size": [1e9], "other": [2e10]}, "no column 'tokens' for n_tokens_seen"),
        ({"size": [-1e9], "tokens": [2e10]}, "-1e"),
    ],
)
@pytest.mark.parametrize("law", ["chinchilla", "auto"])
def test_a_fault_of_the_rows_to_predict_names_their_file(
    chinchilla_table, tmp_path, rows, said, law
):
    wanted = tmp_path / "wanted.csv"
    pl.DataFrame(rows).write_csv(wanted)
    asked = ("--predict", wanted, "--bootstrap", "0")
    done = assay("fit", law, chinchilla_table, *MAP, *asked)
    assert (
        done.returncode == 2
        and done.stderr.startswith(f"assay: {wanted}: ")
        and said in done.stderr
    )


def test_without_a_map_too_the_rows_to_predict_are_named(tmp_path):
    sizes, tokens = [1e7, 1e7, 1e8, 1e8, 1e9, 1e9], [1e9, 1e10] * 3
    runs = {"n_params": sizes, "n_tokens_seen": tokens, "value": [4, 3.5, 3.4, 3, 3, 2]}
    table, wanted = tmp_path / "runs.csv", tmp_path / "wanted.csv"
    pl.DataFrame(runs, strict=False).write_csv(table)
    pl.DataFrame({"N": [1e9]}).write_csv(wanted)
    asked = ("--predict", wanted, "--bootstrap", "0")
    done = assay("fit", "chinchilla", table, *asked)
    assert done.returncode == 2 and done.stderr.startswith(
        f"assay: {wanted}: no column 'n_params'"
    )


def test_plan_reads_the_fit_file(chinchilla_table, tmp_path):
    out = tmp_path / "fit.json"
    assay("fit", "chinchilla", chinchilla_table, *MAP, "--out", out)
    done = assay("plan", "--law", out, "--flops", "1e21", "--next-run", "--json")
    answer = json.loads(done.stdout)
    plan = answer["plan"][0]
    assert (
        plan["lr"] > 0
        and plan["batch_tokens"] > 0
        and plan["n_params_low"] < plan["n_params"] < plan["n_params_high"]
    )
    assert 6 * plan["n_params"] * plan["n_tokens"] == pytest.approx(1e21, rel=1e-6)
    assert answer["next_runs"][0]["variance_removed"] > 0


def test_plan_warns_as_the_fit_did(chinchilla_table, tmp_path):
    rows = pl.read_csv(chinchilla_table)
    copies, out = tmp_path / "copies.csv", tmp_path / "fit.json"
    pl.concat([rows, rows.head(1)]).write_csv(copies)
    fitted = assay("fit", "chinchilla", copies, *MAP, "--out", out, "--json")
    planned = assay("plan", "--law", out, "--flops", "1e21", "--json")
    of_fit, of_plan = (
        [warning["code"] for warning in json.loads(done.stdout)["warnings"]]
        for done in (fitted, planned)
    )
    assert "duplicate_rows" in of_fit and of_plan[: len(of_fit)] == of_fit
    assert len(of_plan) == len(set(of_plan))


@pytest.fixture(scope="module")
def two_arms(tmp_path_factory):
    """Two data sets: `b` is better at every compute; or the same one twice."""
    rng = np.random.default_rng(1)

    def write(name, gap):
        frames = []
        for arm, extra in (("a", gap), ("b", 0.0)):
            for draw in range(5):
                n, d = (
                    grid.ravel()
                    for grid in np.meshgrid(
                        np.geomspace(1e7, 1e9, 3), np.geomspace(2e8, 5e10, 5)
                    )
                )
                loss = (1.8 + extra + 400 / n**0.34 + 1200 / d**0.33) * np.exp(
                    0.005 * rng.standard_normal(n.size)
                )
                frames.append(
                    pl.DataFrame(
                        {
                            "n_params": n,
                            "n_tokens_seen": d,
                            "value": loss,
                            "data": arm,
                            "pool_draw": draw,
                        }
                    )
                )
        file = tmp_path_factory.mktemp(name) / "runs.csv"
        pl.concat(frames).write_csv(file)
        return file

    return write("apart", 0.15), write("equal", 0.0)


def test_compare_names_the_better_data_and_does_not_split_equals(two_arms):
    apart, equal = two_arms
    arguments = [
        "--arm",
        "data",
        "--at",
        "1e20",
        "--cluster",
        "pool_draw",
        "--law",
        "chinchilla",
        "--json",
    ]
    done = assay("compare", apart, *arguments)
    assert done.returncode == 0, done.stderr
    [budget] = json.loads(done.stdout)["budgets"]
    assert (budget["best"], budget["status"]) == ("b", "decided")
    [budget] = json.loads(assay("compare", equal, *arguments).stdout)["budgets"]
    assert budget["status"] in ("tie", "insufficient_evidence")


def test_compare_and_plan_print_the_same_as_json_with_figures(
    two_arms, chinchilla_table, tmp_path
):
    arguments = [
        "compare",
        two_arms[0],
        "--arm",
        "data",
        "--at",
        "1e20",
        "--at",
        "1e21",
        "--law",
        "chinchilla",
        "--bootstrap",
        60,
        "--figures",
        tmp_path,
    ]
    shown, record = assay(*arguments), json.loads(assay(*arguments, "--json").stdout)
    assert (
        max(len(line) for line in shown.stdout.splitlines() if "figure " not in line)
        <= 100
    )
    for budget in record["budgets"]:
        assert (
            f"{budget['value']:.4g} [{budget['low']:.4g}, {budget['high']:.4g}]"
            in shown.stdout
            and budget["reason"][:40] in shown.stdout
        )
        assert set(budget["arms"]) == {"a", "b"} and sum(
            entry["p_best"] for entry in budget["arms"].values()
        ) == pytest.approx(1)
    assert (
        record["figures"] == [f"{tmp_path}/compare.png"]
        and record["figures"][0] in shown.stdout
    )
    fit = tmp_path / "fit.json"
    assay("fit", "chinchilla", chinchilla_table, *MAP, "--bootstrap", 60, "--out", fit)
    arguments = [
        "plan",
        "--law",
        fit,
        "--flops",
        "1e21",
        "--unique-tokens",
        "2e9",
        "--next-run",
        "--figures",
        tmp_path,
    ]
    shown, record = assay(*arguments), json.loads(assay(*arguments, "--json").stdout)
    assert (
        max(len(line) for line in shown.stdout.splitlines() if "figure " not in line)
        <= 100
    )
    assert "repetition_not_in_law" in shown.stdout and "repetition_not_in_law" in [
        w["code"] for w in record["warnings"]
    ]
    assert (
        f"{record['plan'][0]['lr']:.2e}" in shown.stdout
        and len(record["next_runs"]) == 5
    )
    assert (
        all(Path(path).read_bytes().startswith(PNG) for path in record["figures"])
        and len(record["figures"]) == 2
    )


def test_compare_refuses_far_beyond_the_data_with_exit_code_1(two_arms):
    done = assay(
        "compare", two_arms[0], "--arm", "data", "--at", "1e27", "--law", "chinchilla"
    )
    assert done.returncode == 1
    assert "no budget can be decided" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["fit", "chinchilla", "none.csv"], "no such file"),
        (["fit", "chinchilla", "TABLE"], "--map n_params=COLUMN"),
        (["fit", "chinchilla", "TABLE", "--map", "n_params"], "write LAW_VAR=COLUMN"),
        (
            ["fit", "chinchilla", "TABLE", "--map", "size=n_params"],
            "(LAW_VAR comes first: n_params=size)",
        ),
        (
            ["fit", "chinchilla", "TABLE", "--map", "n_token_seen=tokens"],
            "did you mean n_tokens_seen=tokens?",
        ),
        (
            ["fit", "chinchilla", "TABLE", *MAP, "--where", "loss = big"],
            "single quotes",
        ),
        (
            [
                "fit",
                "chinchilla",
                "TABLE",
                *MAP,
                "--bootstrap",
                "10",
                "--figures",
                "/dev/null/x",
            ],
            "cannot write figures",
        ),
        (
            ["fit", "chinchilla", "TABLE", *MAP, "--holdout", "tokens > 0"],
            "leaves 0 rows to fit",
        ),
        (
            ["compare", "TABLE", "--arm", "data", "--at", "1e20", *MAP],
            "no column 'data'",
        ),
        (["plan", "--law", "none.json", "--flops", "1e20"], "no such file"),
        (["plan", "--law", "none.json", "--flops", "-3"], "`assay plan --help`"),
        (["fit", "chinchilla"], "Missing argument"),
        (["fit", "chinchila", "TABLE"], "did you mean chinchilla"),
        (["fit", "chinchilla", "TABLE", *MAP[:-1], "value=size"], "are both 'size'"),
        (["run", "--params", "none.yaml"], "no such file"),
        (["run", "--executor", "magic"], "must be one of"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, reason, chinchilla_table):
    done = assay(*[str(chinchilla_table) if a == "TABLE" else a for a in arguments])
    assert done.returncode == 2, done.stderr
    assert reason in done.stderr and len(done.stderr.strip().splitlines()) == 1
