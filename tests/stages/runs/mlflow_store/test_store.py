"""A store that is down, mute or broken is one line, without its password."""

import socket
import time

import mlflow
import pytest
import requests

from stages.foundation.files import write_json
from stages.runs.mlflow_store.experiment_table import read_experiment
from stages.runs.mlflow_store.publish import publish
from stages.runs.mlflow_store.store import TrackingOutage, outages


@pytest.mark.parametrize(
    "error",
    [
        mlflow.exceptions.MlflowException("down\nand more"),
        requests.ConnectionError("down"),
        OSError("down"),
    ],
)
def test_an_outage_is_one_line(monkeypatch, error):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(TrackingOutage) as caught, outages():
        raise error
    assert str(caught.value) == (
        "MLflow at http://127.0.0.1:9 did not take the runs: down; they are kept on"
        " disk; the next `assay run` or `python -m stages publish` sends them"
    )


def test_a_damaged_store_of_runs_that_are_on_disk_may_be_moved_away():
    damage = OSError("(sqlite3.DatabaseError) database disk image is malformed")
    with pytest.raises(TrackingOutage, match="move that file away"), outages():
        raise damage
    with pytest.raises(TrackingOutage) as caught:
        with outages("cannot be read", "name another one"):
            raise damage
    assert str(caught.value).endswith("malformed; name another one")


def test_an_outage_without_words_names_its_kind():
    with pytest.raises(TrackingOutage, match="runs: TimeoutError; they"):
        with outages():
            raise TimeoutError
    with pytest.raises(KeyError), outages():
        raise KeyError("a defect of ours")


def listen(monkeypatch, seconds="0.5"):
    """A socket that is connected to and never answers, as the store."""
    server = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("ASSAY_SERVICE_SECONDS", seconds)
    return server, address


def test_a_mute_store_is_given_up_at_the_deadline(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    questions = {"q": {"title": "", "arms": []}}
    write_json("data/arms/arms.json", {"questions": questions, "controls": {}})
    server, address = listen(monkeypatch)
    with server:
        for ask in (publish, lambda: read_experiment("mine")):
            start = time.monotonic()
            with pytest.raises(TrackingOutage) as caught:
                ask()
            assert time.monotonic() - start < 5
            assert str(caught.value).startswith(f"MLflow at {address} ")
            assert "no answer within 0.5 s (ASSAY_SERVICE_SECONDS" in str(caught.value)


def test_no_secret_of_the_address_is_printed(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hidden@127.0.0.1:9")
    with pytest.raises(TrackingOutage) as caught, outages():
        raise OSError("no route to http://me:hidden@127.0.0.1:9")
    assert "hidden" not in str(caught.value)


def test_a_bucket_that_refuses_is_an_outage_too_and_a_defect_is_not():
    refused = type("ClientError", (Exception,), {"__module__": "botocore.exceptions"})
    with pytest.raises(TrackingOutage, match="runs: AccessDenied; they"):
        with outages():
            raise refused("AccessDenied")
    with pytest.raises(TrackingOutage, match="No module named 'boto3'; install that"):
        with outages():
            raise ModuleNotFoundError("No module named 'boto3'")
    with pytest.raises(ZeroDivisionError), outages():
        raise ZeroDivisionError
