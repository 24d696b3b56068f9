"""Anybody's experiment as a table: one row a finished run."""

import mlflow
import pytest

from stages.foundation.errors import InputError
from stages.runs.mlflow_store.experiment_table import read_experiment


def add_run(client, experiment, params, metrics, status="FINISHED"):
    run = client.create_run(experiment, "run", {})
    run.data.params, run.data.metrics = params, metrics
    run.info.status = status


@pytest.fixture
def stored(client, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    stores = {"http://127.0.0.1:9": client}
    monkeypatch.setattr(mlflow, "MlflowClient", lambda uri: stores[uri])
    return client


def test_an_experiment_is_read_as_one_row_a_finished_run(stored):
    experiment = stored.create_experiment("mine", None, {})
    add_run(stored, experiment, {"lr": "0.1", "kind": "a", "loss": "9"}, {"loss": 3.0})
    add_run(stored, experiment, {"lr": "0.2", "kind": "7"}, {"loss": 2.0, "more": 1.0})
    add_run(stored, experiment, {"lr": "0.3"}, {"loss": 1.0}, status="RUNNING")
    add_run(stored, experiment, {}, {})
    assert read_experiment("mine").to_dict(as_series=False) == {
        "run_id": ["r0", "r1"],
        "lr": [0.1, 0.2],
        "kind": ["a", "7"],
        "loss": [3.0, 2.0],
        "more": [None, 1.0],
    }


def test_a_missing_experiment_names_at_most_twenty_others(stored):
    for i in range(25):
        stored.create_experiment(f"e{i:02}", None, {})
    with pytest.raises(InputError) as error:
        read_experiment("mine")
    assert "e19 (MLFLOW" in str(error.value) and "e20" not in str(error.value)


def test_runs_of_all_pages_and_of_few_are_read(stored):
    experiment = stored.create_experiment("mine", None, {})
    for i in range(5):
        add_run(stored, experiment, {"lr": str(i)}, {})
    assert read_experiment("mine")["lr"].to_list() == [0, 1, 2, 3, 4]


def test_an_experiment_that_is_not_there_or_empty_is_one_line(stored):
    empty = stored.create_experiment("empty", None, {})
    stored.create_experiment("another", None, {})
    with pytest.raises(InputError) as error:
        read_experiment("mine")
    assert str(error.value) == (
        "mlflow:mine: no such experiment at http://127.0.0.1:9; there are: another,"
        " empty (MLFLOW_TRACKING_URI names the store)"
    )
    add_run(stored, empty, {}, {})
    with pytest.raises(InputError) as error:
        read_experiment("empty")
    assert str(error.value) == (
        "mlflow:empty: no finished run with parameters or metrics at"
        " http://127.0.0.1:9; log runs to it or name another experiment"
    )
