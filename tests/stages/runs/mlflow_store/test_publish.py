"""What is sent of a sweep: every wanted run once, the decision, its figure, how it fared; failures are marked."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import mlflow
import polars as pl
import pytest

from stages.foundation.files import write_json
from stages.foundation.sealed import write_sealed
from stages.foundation.stage import ROOT
from stages.runs.mlflow_store.links import CHARTS, spoken_links
from stages.runs.mlflow_store.publish import publish, record_failure
from stages.runs.mlflow_store.store import TrackingOutage


@pytest.fixture
def swept(tmp_path, monkeypatch, client, finished, image_run):
    """A folder with three trunks, of which one is no longer wanted, and the client that mlflow gives."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "mlflow.db").touch()
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
    publish()
    experiment = swept.experiments["curation/filter"]
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert experiment.tags["mlflow.note.content"].startswith("How strict?")
    assert experiment.location == (tmp_path / "mlartifacts").as_uri()
    parent, *children = swept.runs.values()
    assert parent.name == "sweep-filter" and parent.info.status == "FINISHED"
    assert parent.data.tags["assay.sweep"] == "filter"
    assert parent.data.tags["stage"] == "sweep"
    description = experiment.tags["mlflow.note.content"]
    assert parent.data.tags["mlflow.note.content"] == description
    sent = [child.data.tags["assay.trunk_id"] for child in children]
    assert sent == ["t1", "t2", "t4"]
    assert {c.data.tags["mlflow.parentRunId"] for c in children} == {parent.info.run_id}
    assert [path for _, _, path in swept.calls] == [
        "data/decisions/filter.json",
        "data/report/filter-loss.png",
        "data/report/index.html",
    ]
    assert {run_id for _, run_id, _ in swept.calls} == {parent.info.run_id}


def test_what_was_trained_after_the_decision_is_sent_with_how_it_fared(
    swept, tmp_path, finished
):
    write_sealed("data/verify_runs/runs/v1.json", finished("v1", "keep_20"))
    pl.DataFrame({"trunk_id": ["v1"]}).write_parquet("data/verify_runs/runs.parquet")
    write_json("data/verify/filter.json", {"runs": ["one"]})
    values = {"runs": 3, "coverage": 0.9, "decided_wrong": 0}
    write_json("data/metrics/verify.json", {"filter": values})
    publish()
    parent, *children = swept.runs.values()
    stages = {c.data.tags["assay.trunk_id"]: c.data.tags["stage"] for c in children}
    assert stages == {
        "t1": "sweep",
        "t2": "sweep",
        "t4": "sweep",
        "v1": "verify",
    }
    assert {(name, value) for name, value, _ in parent.points} == {
        ("verify_runs", 3),
        ("verify_coverage", 0.9),
        ("verify_decided_wrong", 0),
    }
    assert parent.files == {"filter-verification.json": {"runs": ["one"]}}
    n_points = len(parent.points)
    publish()
    assert len(parent.points) == n_points, "sent once"


def test_a_store_that_is_down_is_asked_twice_unless_the_user_says_otherwise(
    swept, monkeypatch
):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "5")
    publish()
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "5"
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES")
    publish()
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "2"


def test_files_that_are_not_there_yet_are_not_sent(swept, tmp_path):
    shutil.rmtree(tmp_path / "data/report")
    publish()
    assert [path for _, _, path in swept.calls] == ["data/decisions/filter.json"]


def test_the_parameters_of_the_law_are_a_table_of_the_sweep(swept):
    record = "data/decisions/filter.json"
    shutil.copy(ROOT / record, record)
    publish()
    publish()
    parent, *_ = swept.runs.values()
    expected = json.loads(Path(record).read_text("utf-8"))["tables"]["parameters"]
    shown = pl.read_csv(io.StringIO(parent.files["coefficients.csv"]))
    assert shown.columns == list(expected[0])
    for name in ("parameter", "value", "low", "high", "unit"):
        assert shown[name].to_list() == [row[name] for row in expected]
    sent = [name for kind, _, name in swept.calls if kind == "text"]
    assert sent == ["coefficients.csv"], "once, as long as it is the same"


def test_publishing_again_sends_what_is_new_alone(swept):
    publish()
    n_runs, n_files = len(swept.runs), len(swept.calls)
    publish()
    assert (len(swept.runs), len(swept.calls)) == (n_runs, n_files)
    write_json("data/decisions/filter.json", {"version": 2})
    publish()
    assert swept.calls[n_files:] == [("artifact", "r0", "data/decisions/filter.json")]


def test_a_run_that_did_not_arrive_whole_is_replaced_and_others_are_left(swept):
    publish()
    _, first, second, _ = swept.runs.values()
    first.info.status = "RUNNING"  # its process was killed
    other = swept.create_run(first.experiment, "other", {"assay.trunk_id": "theirs"})
    earlier = swept.create_run(first.experiment, "old", {"assay.trunk_id": "old"})
    publish()
    assert {run.info.run_id: run.info.status for run in swept.gone.values()} == {
        first.info.run_id: "KILLED",
        earlier.info.run_id: "KILLED",  # of earlier parameters, whose file is kept
    }
    assert other.info.status == "RUNNING"  # another project's, perhaps at work
    children = [r.data.tags.get("assay.trunk_id") for r in swept.runs.values()]
    assert sorted(filter(None, children)) == ["t1", "t2", "t4", "theirs"]
    assert second.info.run_id in swept.runs


def test_a_server_keeps_its_own_artifacts(swept, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    [link] = publish().values()
    assert link == f"http://127.0.0.1:9/#/experiments/e0/runs?{CHARTS}"
    assert swept.experiments["curation/filter"].location is None


SENDER = """
import sys
from types import SimpleNamespace
from stages.foundation.processes.one_holder import one_holder
from stages.runs.mlflow_store.publish import LOCK
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
            publish()
        other.communicate("\n")
    assert not swept.runs
    publish()
    assert swept.runs


def test_an_experiment_of_an_earlier_version_opens_on_its_runs_too(swept):
    swept.create_experiment("curation/filter", None, {"owner": "me"})
    publish()
    tags = swept.experiments["curation/filter"].tags
    assert tags["owner"] == "me"
    assert tags["mlflow.experimentKind"] == "custom_model_development"


def test_the_link_is_said_afterwards_and_never_a_stale_one(swept, monkeypatch):
    publish()
    link = f"http://127.0.0.1:5000/#/experiments/e0/runs?{CHARTS}"
    assert spoken_links() == f"the runs of filter: `assay ui`, then {link}"
    address = "http://me:hidden@127.0.0.1:9/"
    monkeypatch.setattr(mlflow, "MlflowClient", {address: swept}.get)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    [link] = publish().values()
    assert spoken_links() == f"the runs of filter: {link}"
    assert link.startswith("http://127.0.0.1:9/#/experiments/e0/")

    def lost(*_):
        raise OSError("lost")

    monkeypatch.setattr(swept, "get_experiment_by_name", lost)
    with pytest.raises(TrackingOutage):
        publish()
    assert spoken_links() == ""


def test_a_sweep_that_failed_says_so_until_it_is_mended(swept):
    record_failure("sweep", "3 of 8 groups of runs failed\nand more")
    [parent] = swept.runs.values()
    assert parent.info.status == "FAILED"
    assert parent.data.tags["failure"].startswith("sweep: 3 of 8 groups of runs failed")
    publish()
    assert parent.info.status == "FINISHED" and "failure" not in parent.data.tags
    assert sum("assay.sweep" in run.data.tags for run in swept.runs.values()) == 1


def test_every_run_names_the_law_that_the_decision_rests_on_now(swept, monkeypatch):
    decision = SimpleNamespace(
        law=SimpleNamespace(name="chinchilla"),
        sentence="Keep a fifth.",
        status="decided",
        reason="it leads",
    )
    read = "stages.runs.mlflow_store.publish.decision_of"
    monkeypatch.setattr(read, lambda _: decision)
    publish(flow_run="f1")
    parent, *_ = swept.runs.values()
    assert {run.data.tags["law"] for run in swept.runs.values()} == {"chinchilla"}
    assert {run.data.tags["prefect_flow_run"] for run in swept.runs.values()} == {"f1"}
    assert parent.data.tags["mlflow.note.content"] == (
        "How strict?\n\n**Keep a fifth.**\n\nStatus: decided. it leads\n\n"
        "Figure: `filter-loss.png`, an artifact of the run `sweep-filter`.\n\n"
        "![filter-loss.png](get-artifact?path=filter-loss.png&run_uuid=r0)"
    )
    decision.law.name = "overfit"
    publish(flow_run="f2")
    assert {run.data.tags["law"] for run in swept.runs.values()} == {"overfit"}
    flows = {run.data.tags["prefect_flow_run"] for run in swept.runs.values()}
    assert flows == {"f1", "f2"}, "a run keeps the flow that sent it"


def test_the_load_of_the_machine_is_sent_once_to_the_parent(swept):
    load = Path(".assay/load/sweep.jsonl")
    load.parent.mkdir(parents=True)
    key = "system/cpu_utilization_percentage"
    load.write_text(f'{{"time_s": 10.0, "{key}": 80.0}}\n')
    publish()
    parent = next(iter(swept.runs.values()))

    def sent():
        return [point for point in parent.points if point[0].startswith("system/")]

    assert sent() == [(key, 80.0, 0)]
    assert 10_000 in parent.times
    publish()
    assert sent() == [(key, 80.0, 0)]
    with load.open("a") as opened:
        opened.write(f'{{"time_s": 20.0, "{key}": 90.0}}\n')
    publish()
    assert sent() == [(key, 80.0, 0), (key, 90.0, 1)]
