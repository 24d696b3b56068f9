"""A server on PostgreSQL whose files lie in a bucket: MLFLOW_TRACKING_URI is all that is set."""

import importlib.util
import os
import subprocess
import sys

import mlflow
import polars as pl
import pytest
import requests

from flows.prefect_server.tied import free_port, stop, wait_for
from stages.foundation.files import write_json
from stages.foundation.sealed import write_sealed
from stages.runs.mlflow_store.links import CHARTS
from stages.runs.mlflow_store.publish import publish


@pytest.fixture
def server(postgres, s3, tmp_path):
    """Its address. It hands files on to the bucket, so that whoever sends needs no key."""
    if importlib.util.find_spec("psycopg2") is None:
        pytest.skip("psycopg2 not installed; pip install psycopg2-binary")
    port = free_port()
    command = ["-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    store = f"postgresql://{postgres}/postgres"
    process = subprocess.Popen(
        [sys.executable, *command, "--workers", "1"],
        env=os.environ
        | s3
        | {
            "MLFLOW_BACKEND_STORE_URI": store,
            "MLFLOW_ARTIFACTS_DESTINATION": "s3://store/mlflow",
        },
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop([process])


@pytest.mark.filterwarnings("ignore")  # of packages that MLflow loads
def test_runs_decision_figure_and_tokenizer_arrive(
    server, finished, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    questions = {"filter": {"title": "How strict?", "arms": ["keep_20"]}}
    write_json("data/arms/arms.json", {"questions": questions, "controls": {}})
    write_sealed("data/sweep/runs/t1.json", finished())
    pl.DataFrame({"trunk_id": ["t1"]}).write_parquet("data/sweep/runs.parquet")
    (tmp_path / "data/report").mkdir()
    (tmp_path / "data/report/filter-loss.png").write_bytes(b"picture")
    [link] = publish().values()
    assert publish() == {"filter": link}
    client = mlflow.MlflowClient(server)
    experiment = client.get_experiment_by_name("curation/filter")
    assert link == (f"{server}/#/experiments/{experiment.experiment_id}/runs?{CHARTS}")
    child, parent = client.search_runs([experiment.experiment_id])
    assert child.data.tags["assay.trunk_id"] == "t1"
    assert child.data.metrics["heldout_news_loss_nats"] == 4.5
    # the picture of the description, as the page asks for it
    picture = parent.data.tags["mlflow.note.content"].partition("](")[2].rstrip(")")
    assert requests.get(f"{server}/{picture}", timeout=20).content == b"picture"
    assert not [*tmp_path.glob("mlruns"), *tmp_path.glob("mlartifacts")]
