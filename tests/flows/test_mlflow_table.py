"""`mlflow:EXPERIMENT` as a table: parameters and last metrics of finished runs are columns."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from stages.foundation.stage import ROOT


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A small sqlite store: 20 finished runs of a known law, one that still runs, and an empty experiment."""
    code = """
import numpy as np, mlflow
from mlflow.entities import Metric, Param
client = mlflow.MlflowClient()
experiment = client.create_experiment("ladder")
client.create_experiment("empty")
n, d = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 1e9, 4), np.geomspace(2e8, 5e10, 5)))
for i in range(20):
    run = client.create_run(experiment).info.run_id
    loss = 1.8 + 400 / n[i]**0.34 + 1200 / d[i]**0.33
    metrics = [Metric("loss", 9.0, 0, 0), Metric("loss", loss, 1, 1), Metric("tokens", d[i], 1, 1)]
    client.log_batch(run, metrics=metrics, params=[Param("size", str(n[i])), Param("data", "ab"[i % 2])])
    client.set_terminated(run)
client.create_run(experiment)
"""
    folder = tmp_path_factory.mktemp("mlflow")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "100",
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/store.db",
    }
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=environment,
        check=True,
        capture_output=True,
        cwd=folder,
    )
    return environment


def assay(store, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=store,
    )


MAP = ["--map", "n_params=size", "--map", "n_tokens_seen=tokens", "--map", "value=loss"]


def test_fit_reads_an_experiment(store):
    done = assay(
        store, "fit", "chinchilla", "mlflow:ladder", *MAP, "--bootstrap", "0", "--json"
    )
    assert done.returncode == 0, done.stderr
    assert "mlflow:ladder: 1 runs are not finished and are left out" in done.stderr
    fit = json.loads(done.stdout)
    assert fit["n_points"] == 20 and fit["rms_log"] < 1e-5
    assert np.isclose(fit["params"]["alpha"]["value"], 0.34, rtol=1e-3)


def test_compare_reads_an_experiment(store):
    done = assay(
        store,
        "compare",
        "mlflow:ladder",
        *MAP,
        "--arm",
        "data",
        "--at",
        "1e20",
        "--law",
        "chinchilla",
        "--bootstrap",
        "50",
        "--json",
    )
    assert json.loads(done.stdout)["budgets"][0]["best"] in ("a", "b"), done.stderr


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nonsense", "there are: Default, empty, ladder"),
        ("empty", "no finished run"),
        ("ladder", "--map n_params=COLUMN"),
    ],
)
def test_an_experiment_that_cannot_be_used_is_one_line(store, name, reason):
    done = assay(store, "fit", "chinchilla", f"mlflow:{name}")
    assert done.returncode == 2 and reason in done.stderr.strip().splitlines()[-1], (
        done.stderr
    )
