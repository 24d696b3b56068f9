"""Decisions, verifications and exports name the very input that made them stale, not the stages in between."""

import json
import shutil

import pytest

from flows import freshness as module
from flows.freshness import freshness, inputs_changed
from stages.decision.record import read_decision
from stages.foundation.stage import ROOT
from stages.pipeline import PIPELINE

NOTHING = {stage.name: [] for stage in PIPELINE}


@pytest.fixture
def status(tmp_path, monkeypatch):
    """Function: the rows by name and kind, where DVC gives these reasons and dvc.lock says what changed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "data/decisions").mkdir(parents=True)
    shutil.copy(ROOT / "data/decisions/filter.json", tmp_path / "data/decisions")

    def rows(reasons, since=()):
        own = NOTHING | reasons
        monkeypatch.setattr(module, "stale_reasons", lambda stage: own[stage.name])
        monkeypatch.setattr(module, "changes_since", lambda record: list(since))
        return {(row["name"], row["kind"]): row for row in freshness()}

    return rows


def test_nothing_changed(status):
    rows = status({})
    said = json.loads((ROOT / "data/decisions/filter.json").read_text())["status"]
    assert rows["filter", "decision"]["state"] == said
    assert rows["ingest", "stage"]["state"] == "fresh"


def test_a_decision_names_the_input_that_changed_far_upstream(status):
    rows = status({"ingest": ["changed deps: my/crawl.jsonl modified"]})
    assert rows["decide", "stage"]["because"].startswith("stage arms is stale")
    row = rows["filter", "decision"]
    assert row["state"] == "stale"
    assert row["because"] == "ingest: my/crawl.jsonl modified"


def test_inputs_of_several_stages_come_in_order_and_products_are_left_out():
    own = NOTHING | {
        "report": ["params: report.png_dpi was 1 and is 2"],
        "fit": ["changed deps: data/sweep/runs.parquet modified"],
        "arms": ["params: arms.seed was 1 and is 2", "changed deps: data/pack/pools x"],
        "score": ["changed deps: stages/score.py modified"],
    }
    assert inputs_changed("decide", own) == [
        "arms: params: arms.seed was 1 and is 2",
        "score: stages/score.py modified",
    ]
    assert inputs_changed("dedup", own) == []


def test_where_stages_ran_again_the_record_says_which_input_they_ran_for(status):
    reasons = {"decide": ["changed deps: data/fit modified"]}
    rows = status(reasons, since=["params: ingest.seed was 1 and is 2"])
    because = rows["filter", "decision"]["because"]
    assert because == "params: ingest.seed was 1 and is 2"
    rows = status(reasons)
    assert rows["filter", "decision"]["because"] == "changed deps: data/fit modified"


def test_an_input_that_changed_none_of_the_products_makes_no_decision_stale(status):
    rows = status({}, since=["the code of stage fit changed"])
    assert rows["filter", "decision"]["state"] != "stale"
    assert rows["decide", "stage"]["state"] == "fresh"


def test_a_fresh_decision_names_the_arms_that_were_stopped_early(status):
    record = read_decision("data/decisions/filter.json")
    dropped = record.model_copy(update={"dropped": {"keep_100": 0.004, "keep_10": 0.0}})
    dropped.write("data/decisions/filter.json")
    row = status({})["filter", "decision"]
    wanted = "keep_100 (P(best) 0.004), keep_10 (P(best) 0)"
    assert row["because"] == f"stopped early, no run can help them: {wanted}"
    stale = {"decide": ["params: decide.level was 0.9 and is 0.8"]}
    row = status(stale)["filter", "decision"]
    assert row["because"] == "decide: params: decide.level was 0.9 and is 0.8"
