"""What MLflow is sent: nats where it says nats, bits a byte where it says so, FLOPs and tokens each under its name."""

import json
import math
import os
import shutil
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import mlflow
import polars as pl
import pytest
import requests

from stages.foundation.errors import InputError
from stages.foundation.files import write_json
from stages.foundation.sealed import write_sealed
from stages.foundation.stage import ROOT
from stages.runs import tracking
from stages.runs.tracking import TrackingOutage


class Client:
    """Stands for MLflow's client: keeps in memory what it is sent."""

    def __init__(self):
        self.experiments, self.runs, self.gone, self.calls = {}, {}, {}, []

    def get_experiment_by_name(self, name):
        return self.experiments.get(name)

    def create_experiment(self, name, artifact_location, tags):
        self.experiments[name] = SimpleNamespace(
            experiment_id=f"e{len(self.experiments)}",
            name=name,
            location=artifact_location,
            tags=tags,
        )
        return self.experiments[name].experiment_id

    def search_experiments(self, max_results):
        return list(self.experiments.values())[:max_results]

    def create_run(self, experiment, run_name, tags, start_time=None):
        run_id = f"r{len(self.runs) + len(self.gone)}"
        self.runs[run_id] = SimpleNamespace(
            info=SimpleNamespace(run_id=run_id, status="RUNNING"),
            data=SimpleNamespace(tags=dict(tags), params={}, metrics={}),
            start_time=start_time,
            times=set(),
            experiment=experiment,
            name=run_name,
            points=[],
            inputs=[],
            files={},
            batches=[],
        )
        return self.runs[run_id]

    def search_runs(self, experiments, wanted, max_results=1000, page_token=None):
        """The finished runs, two a page, or the runs of the sweep `filter`."""
        runs = [run for run in self.runs.values() if run.experiment in experiments]
        if wanted == "tags.`assay.sweep` = 'filter'":
            sweeps = [r for r in runs if r.data.tags.get("assay.sweep") == "filter"]
            return sweeps[:max_results]
        finished = {
            "attributes.status = 'FINISHED'": True,
            "attributes.status != 'FINISHED'": False,
        }[wanted]
        runs = [run for run in runs if (run.info.status == "FINISHED") == finished]
        start = int(page_token or 0)
        page = Page(runs[start : start + 2])
        page.token = str(start + 2) if start + 2 < len(runs) else None
        return page

    def get_run(self, run_id):
        return self.runs[run_id]

    def log_batch(self, run_id, metrics, params):
        run = self.runs[run_id]
        run.batches.append(len(metrics))
        run.points += [(m.key, m.value, m.step) for m in metrics]
        run.times |= {m.timestamp for m in metrics}
        run.data.params.update({p.key: p.value for p in params})

    def log_inputs(self, run_id, datasets):
        self.runs[run_id].inputs += datasets

    def log_dict(self, run_id, value, name):
        self.runs[run_id].files[name] = value

    def log_artifact(self, run_id, path):
        self.calls.append(("artifact", run_id, path))

    def set_tag(self, run_id, key, value):
        self.runs[run_id].data.tags[key] = value

    def set_terminated(self, run_id, status="FINISHED"):
        self.runs[run_id].info.status = status

    def delete_run(self, run_id):
        self.gone[run_id] = self.runs.pop(run_id)


class Page(list):
    token = None


def finished(trunk_id="t1", arm="keep_20", **changes):
    """A finished trunk of one budget, and of a second one with an item score."""
    spec = {
        "shape": {
            "d_model": 32,
            "n_layers": 2,
            "n_heads": 1,
            "context": 64,
            "vocab_size": 300,
        },
        "batch_tokens": 256,
        "seed": 7,
        "lr": 0.012,
        "weight_decay": 0.5,
        "dropout": 0.25,
        "pool_draw": 3,
    }
    held = {
        "loss_nats": 4.5,
        "standard_error_nats": 0.02,
        "bits_per_byte": 1.25,
        "n_tokens": 100,
        "n_documents": 1,
        "document_loss_nats": [450.0],
    }
    budget = {
        "budget_tokens": 2048,
        "n_tokens_seen": 2000,
        "n_tokens_unique": 1000,
        "epochs": 2.0,
        "flops": 3e8,
        "flops_exact": 4e8,
        "seconds": 0.1,
        "diverged": False,
        "shares": {"web|q0": 1.0},
        "unique": {"web|q0": 1000},
        "held_out": {"news": held},
    }
    later = budget | {
        "budget_tokens": 4096,
        "n_tokens_seen": 4000,
        "epochs": 4.0,
        "flops": 6e8,
        "items": {"quiz_accuracy": (0.75, 0.05)},
    }
    return {
        "trunk_id": trunk_id,
        "arm": arm,
        "control": "",
        "data_hash": "data1",
        "code_hash": "code1",
        "result": {
            "spec": spec,
            "budgets": [budget, later],
            "curve": {
                "step": [1, 2, 3, 4],
                "n_tokens_seen": [256, 512, 768, 1024],
                "budget_tokens": [0, 0, 2048, 0],
                "loss_nats": [5.5, 5.0, 4.0, math.inf],
                "lr": [0.1, 0.1, 0.1, 0.1],
            },
            "diverged": False,
            "device": "cpu",
            "seconds": 12.5,
            "stack_size": 1,
            "notes": [],
        },
    } | changes


def image_run(trunk_id):
    """A finished trunk of images."""
    budget = {
        "n_samples_seen": 64,
        "n_samples_unique": 32,
        "epochs": 2.0,
        "flops": 3e8,
        "flops_exact": 3e8,
        "seconds": 0.1,
        "diverged": False,
        "error": {"digits": [0, 1]},
        "loss": {"digits": [0.1, 2.0]},
    }
    result = {"spec": {}, "n_params": 100, "device": "cpu", "budgets": [budget]}
    head = finished(trunk_id, modality="image", pool_draw=0)
    return head | {"result": result}


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def sent(client):
    """The child that one finished trunk becomes."""
    tracking._publish_trunk(client, "e0", "parent", finished())
    [child] = client.runs.values()
    return child


def at(child, key):
    """step -> value of one metric."""
    return {step: value for name, value, step in child.points if name == key}


def test_losses_are_in_the_unit_that_their_name_says(sent):
    assert at(sent, "heldout_news_loss_nats") == {2000: 4.5, 4000: 4.5}
    assert at(sent, "heldout_news_loss_nats_se") == {2000: 0.02, 4000: 0.02}
    assert at(sent, "heldout_news_bits_per_byte") == {2000: 1.25, 4000: 1.25}


def test_flops_tokens_and_size_are_each_under_their_name(sent):
    assert at(sent, "log10_flops") == pytest.approx(
        {2000: math.log10(3e8), 4000: math.log10(6e8)}
    )
    assert at(sent, "log10_tokens") == pytest.approx(
        {2000: math.log10(2000), 4000: math.log10(4000)}
    )
    n_params = 12 * 2 * 32**2  # two layers of width 32
    assert sent.data.params["n_params"] == str(n_params)
    assert at(sent, "log10_n_params") == pytest.approx(
        {2000: math.log10(n_params), 4000: math.log10(n_params)}
    )
    assert at(sent, "epochs") == {2000: 2.0, 4000: 4.0}
    assert at(sent, "items_quiz_accuracy") == {4000: 0.75}
    assert at(sent, "train_seconds") == {0: 12.5}


def test_the_training_curve_is_the_trunk_alone_and_finite(sent):
    assert at(sent, "train_loss_nats") == {256: 5.5, 512: 5.0}


def test_nothing_else_is_sent(sent):
    assert {name for name, _, _ in sent.points} == {
        "train_loss_nats",
        "log10_flops",
        "log10_tokens",
        "log10_n_params",
        "epochs",
        "heldout_news_loss_nats",
        "heldout_news_loss_nats_se",
        "heldout_news_bits_per_byte",
        "items_quiz_accuracy",
        "train_seconds",
    }


def test_a_child_carries_what_decides_it(sent):
    params = dict(sent.data.params)
    params.pop("n_params")
    assert params == {
        "arm": "keep_20",
        "lr": "0.012",
        "weight_decay": "0.5",
        "dropout": "0.25",
        "batch_tokens": "256",
        "seed": "7",
        "pool_draw": "3",
    }
    assert sent.data.tags == {
        "assay.trunk_id": "t1",
        "mlflow.parentRunId": "parent",
        "stage": "sweep",
        "arm": "keep_20",
        "control": "",
        "dvc_data": "data1",
        "code": "code1",
        "diverged": "false",
    }
    assert sent.name == "keep_20-d32-wd0.5-p3-s7"
    assert sent.experiment == "e0" and sent.info.status == "FINISHED"
    assert sent.files["spec.json"]["seed"] == 7
    [data] = sent.inputs
    assert (data.dataset.name, data.dataset.digest) == ("keep_20", "data1")
    assert data.dataset.source_type == "local"
    assert json.loads(data.dataset.source) == {"uri": "data/arms/views.parquet"}
    [tag] = data.tags
    assert (tag.key, tag.value) == ("mlflow.data.context", "curated")


def test_times_are_in_milliseconds(client):
    before = time.time()
    tracking._publish_trunk(client, "e0", "parent", finished())
    [child] = client.runs.values()
    assert child.times == {child.start_time} and isinstance(child.start_time, int)
    assert before - 0.002 <= child.start_time / 1000 <= time.time()


def test_a_diverged_trunk_says_so(client):
    run = finished()
    run["result"]["diverged"] = True
    tracking._publish_trunk(client, "e0", "parent", run)
    [child] = client.runs.values()
    assert child.data.tags["diverged"] == "true"


def test_many_points_go_in_batches_and_parameters_with_the_first(client, monkeypatch):
    monkeypatch.setattr(tracking, "BATCH", 7)
    tracking._publish_trunk(client, "e0", "parent", finished())
    [child] = client.runs.values()
    assert child.batches == [7, 7, 4] and child.data.params["seed"] == "7"


@pytest.fixture
def swept(tmp_path, monkeypatch, client):
    """A folder with three trunks, of which one is no longer wanted, and the client that mlflow gives."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    stores = {f"sqlite:///{tmp_path / 'mlflow.db'}": client}
    stores["http://127.0.0.1:9"] = client
    monkeypatch.setattr(mlflow, "MlflowClient", lambda uri: stores[uri])
    arms = {
        "questions": {"filter": {"title": "How strict?", "arms": ["keep_20"]}},
        "controls": {"twin": {"kind": "same", "like": "keep_20"}},
    }
    write_json("data/arms/arms.json", arms)
    for trunk_id, arm in (("t1", "keep_20"), ("t2", "twin"), ("t3", "other")):
        write_sealed(f"data/sweep/runs/{trunk_id}.json", finished(trunk_id, arm))
    write_sealed("data/sweep/runs/old.json", finished("old"))
    write_sealed("data/sweep/runs/t4.json", image_run("t4"))
    pl.DataFrame({"trunk_id": ["t2", "t1", "t1", "t3", "t4"]}).write_parquet(
        "data/sweep/runs.parquet"
    )
    write_json("data/decisions/filter.json", {"version": 1})
    (tmp_path / "data/report").mkdir(parents=True)
    (tmp_path / "data/report/filter-loss.png").write_bytes(b"picture")
    (tmp_path / "data/report/other-loss.png").write_bytes(b"picture")
    (tmp_path / "data/report/index.html").write_text("page")
    return client


def test_every_wanted_trunk_of_the_question_is_sent_once(swept, tmp_path):
    assert tracking.publish() == f"sqlite:///{tmp_path / 'mlflow.db'}"
    experiment = swept.experiments["curation/filter"]
    assert experiment.tags == {"mlflow.note.content": "How strict?"}
    assert experiment.location == (tmp_path / "mlartifacts").as_uri()
    parent, *children = swept.runs.values()
    assert parent.name == "sweep-filter" and parent.info.status == "FINISHED"
    assert parent.data.tags["assay.sweep"] == "filter"
    assert parent.data.tags["stage"] == "sweep"
    assert parent.data.tags["mlflow.note.content"] == "How strict?"
    assert [c.data.tags["assay.trunk_id"] for c in children] == ["t1", "t2"]
    assert {c.data.tags["mlflow.parentRunId"] for c in children} == {parent.info.run_id}
    assert [path for _, _, path in swept.calls] == [
        "data/decisions/filter.json",
        "data/report/filter-loss.png",
        "data/report/index.html",
    ]
    assert {run_id for _, run_id, _ in swept.calls} == {parent.info.run_id}


def test_what_was_trained_after_the_decision_is_sent_with_how_it_fared(swept, tmp_path):
    write_sealed("data/verify_runs/runs/v1.json", finished("v1", "keep_20"))
    pl.DataFrame({"trunk_id": ["v1"]}).write_parquet("data/verify_runs/runs.parquet")
    write_json("data/verify/filter.json", {"runs": ["one"]})
    values = {"runs": 3, "coverage": 0.9, "decided_wrong": 0}
    write_json("data/metrics/verify.json", {"filter": values})
    tracking.publish()
    parent, *children = swept.runs.values()
    stages = {c.data.tags["assay.trunk_id"]: c.data.tags["stage"] for c in children}
    assert stages == {"t1": "sweep", "t2": "sweep", "v1": "verify"}
    assert {(name, value) for name, value, _ in parent.points} == {
        ("verify_runs", 3),
        ("verify_coverage", 0.9),
        ("verify_decided_wrong", 0),
    }
    assert parent.files == {"filter-verification.json": {"runs": ["one"]}}
    n_points = len(parent.points)
    tracking.publish()
    assert len(parent.points) == n_points, "sent once"


def test_a_store_that_is_down_is_asked_twice_unless_the_user_says_otherwise(
    swept, monkeypatch
):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "5")
    tracking.publish()
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "5"
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES")
    tracking.publish()
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "2"


def test_files_that_are_not_there_yet_are_not_sent(swept, tmp_path):
    shutil.rmtree(tmp_path / "data/report")
    tracking.publish()
    assert [path for _, _, path in swept.calls] == ["data/decisions/filter.json"]


def test_publishing_again_sends_what_is_new_alone(swept):
    tracking.publish()
    n_runs, n_files = len(swept.runs), len(swept.calls)
    tracking.publish()
    assert (len(swept.runs), len(swept.calls)) == (n_runs, n_files)
    write_json("data/decisions/filter.json", {"version": 2})
    tracking.publish()
    assert swept.calls[n_files:] == [("artifact", "r0", "data/decisions/filter.json")]


def test_a_run_that_did_not_arrive_whole_is_replaced_and_others_are_left(swept):
    tracking.publish()
    _, first, second = swept.runs.values()
    first.info.status = "RUNNING"  # its process was killed
    other = swept.create_run(first.experiment, "other", {"assay.trunk_id": "theirs"})
    earlier = swept.create_run(first.experiment, "old", {"assay.trunk_id": "old"})
    tracking.publish()
    assert {run.info.run_id: run.info.status for run in swept.gone.values()} == {
        first.info.run_id: "KILLED",
        earlier.info.run_id: "KILLED",  # of earlier parameters, whose file is kept
    }
    assert other.info.status == "RUNNING"  # another project's, perhaps at work
    children = [r.data.tags.get("assay.trunk_id") for r in swept.runs.values()]
    assert sorted(filter(None, children)) == ["t1", "t2", "theirs"]
    assert second.info.run_id in swept.runs


def test_a_server_keeps_its_own_artifacts(swept, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert tracking.publish() == "http://127.0.0.1:9"
    assert swept.experiments["curation/filter"].location is None


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
    with pytest.raises(TrackingOutage) as caught, tracking.outages():
        raise error
    assert str(caught.value) == (
        "MLflow at http://127.0.0.1:9 did not take the runs: down; they are kept on"
        " disk; the next `assay run` or `python -m stages publish` sends them"
    )


def test_an_outage_without_words_names_its_kind():
    with pytest.raises(TrackingOutage, match="runs: TimeoutError; they"):
        with tracking.outages():
            raise TimeoutError
    with pytest.raises(KeyError), tracking.outages():
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
        for ask in (tracking.publish, lambda: tracking.read_experiment("mine")):
            start = time.monotonic()
            with pytest.raises(TrackingOutage) as caught:
                ask()
            assert time.monotonic() - start < 5
            assert str(caught.value).startswith(f"MLflow at {address} ")
            assert "no answer within 0.5 s (ASSAY_SERVICE_SECONDS" in str(caught.value)


SENDER = """
import sys
from stages.foundation.processes.one_holder import one_holder
from stages.runs.tracking import LOCK
with one_holder(LOCK, "", ""):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_two_processes_do_not_send_at_once(swept):
    with subprocess.Popen(
        [sys.executable, "-c", SENDER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(TrackingOutage, match=rf"\(process {other.pid} since"):
            tracking.publish()
        other.communicate("\n")
    assert not swept.runs
    tracking.publish()
    assert swept.runs


def test_no_secret_of_the_address_is_printed(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hidden@127.0.0.1:9")
    with pytest.raises(TrackingOutage) as caught, tracking.outages():
        raise OSError("no route to http://me:hidden@127.0.0.1:9")
    assert "hidden" not in str(caught.value)


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
    assert tracking.read_experiment("mine").to_dict(as_series=False) == {
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
        tracking.read_experiment("mine")
    assert "e19 (MLFLOW" in str(error.value) and "e20" not in str(error.value)


def test_runs_of_all_pages_and_of_few_are_read(stored):
    experiment = stored.create_experiment("mine", None, {})
    for i in range(5):
        add_run(stored, experiment, {"lr": str(i)}, {})
    assert tracking.read_experiment("mine")["lr"].to_list() == [0, 1, 2, 3, 4]


def test_an_experiment_that_is_not_there_or_empty_is_one_line(stored):
    empty = stored.create_experiment("empty", None, {})
    stored.create_experiment("another", None, {})
    with pytest.raises(InputError) as error:
        tracking.read_experiment("mine")
    assert str(error.value) == (
        "mlflow:mine: no such experiment at http://127.0.0.1:9; there are: another,"
        " empty (MLFLOW_TRACKING_URI names the store)"
    )
    add_run(stored, empty, {}, {})
    with pytest.raises(InputError) as error:
        tracking.read_experiment("empty")
    assert str(error.value) == (
        "mlflow:empty: no finished run with parameters or metrics at"
        " http://127.0.0.1:9; log runs to it or name another experiment"
    )
