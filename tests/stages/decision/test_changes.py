"""What a record rests on against what dvc.lock says now: the inputs that changed, and products only where none did."""

import copy

import pytest
import yaml

from stages.decision import changes, provenance
from stages.decision.changes import changes_since
from stages.decision.record import read_decision
from stages.foundation.dvc_lock import dvc_hashes, locked
from stages.foundation.stage import ROOT

LOCKED = {
    "ingest": {
        "deps": [
            {"path": "raw", "md5": "a"},
            {"path": "stages/ingest.py", "md5": "b"},
        ],
        "params": {"params.yaml": {"ingest": {"seed": 1, "pools": {"good": {}}}}},
        "outs": [{"path": "data/ingest", "md5": "c"}],
    },
    "sweep": {
        "deps": [
            {"path": "data/ingest", "md5": "c"},
            {"path": "stages/sweep.py", "md5": "d"},
        ],
        "params": {"params.yaml": {"sweep": {"lr": 0.1}}},
        "outs": [{"path": "data/sweep/runs.parquet", "md5": "e"}],
    },
    "fit": {
        "deps": [
            {"path": "data/sweep/runs.parquet", "md5": "e"},
            {"path": "stages/fit.py", "md5": "f"},
        ],
        "outs": [{"path": "data/fit", "md5": "g"}],
    },
    "report": {
        "deps": [{"path": "data/decisions", "md5": "x"}],
        "params": {"params.yaml": {"report": {"png_dpi": 140}}},
        "outs": [],
    },
}


@pytest.fixture
def changed(tmp_path, monkeypatch):
    """Function: what changed for a record made under LOCKED, once dvc.lock is as a function left it."""
    lock = tmp_path / "dvc.lock"
    for module in (changes, provenance):
        monkeypatch.setattr(module, "LOCK", lock)
    lock.write_text(yaml.safe_dump({"stages": LOCKED}, sort_keys=False))
    paths = ["data/sweep/runs.parquet"]
    read = "data/fit/filter.json"
    before = locked(lock, [*paths, read])
    record = read_decision(ROOT / "data/decisions/filter.json")
    made_of = record.provenance.model_copy(
        update={
            "dvc": dvc_hashes(lock, paths),
            "inputs": {read: "h"},
            "params": before.params | {"decide": {"level": 0.9}},
            "sources": before.sources,
            "code": before.code,
        }
    )
    record = record.model_copy(update={"provenance": made_of})

    def found(change):
        value = copy.deepcopy(LOCKED)
        change(value)
        lock.write_text(yaml.safe_dump({"stages": value}, sort_keys=False))
        return changes_since(record.provenance)

    found.before = before
    return found


def test_inputs_are_what_no_stage_made_and_only_upstream(changed):
    assert changed.before.sources == {"raw": "a"}
    assert set(changed.before.params) == {"ingest", "sweep"}
    assert set(changed.before.code) == {"ingest", "sweep", "fit"}
    assert changed(lambda stages: None) == []
    assert changed(lambda stages: stages["report"].update(outs=[])) == []


def test_the_very_input_is_named(changed):
    def pools(stages):
        section = stages["ingest"]["params"]["params.yaml"]["ingest"]
        section["seed"], section["pools"] = 2, {}
        stages["ingest"]["outs"][0]["md5"] = "other"

    assert changed(pools) == [
        "params: ingest.seed was 1 and is 2",
        "params: ingest.pools.good was {} and is left out",
    ]

    def files(stages):
        stages["ingest"]["deps"][0]["md5"] = "other"
        stages["ingest"]["outs"][0]["md5"] = "other"

    assert changed(files) == ["raw changed"]

    def moved(stages):
        stages["ingest"]["deps"][0]["path"] = "new"

    assert changed(moved) == ["raw is no longer read", "new is new"]

    def code(stages):
        stages["sweep"]["deps"][1]["md5"] = "other"

    assert changed(code) == ["the code of stage sweep changed"]


def test_a_product_is_named_where_no_input_differs(changed):
    def product(stages):
        for place in ("ingest", "sweep"):
            stages[place]["outs"][0]["md5"] = "other"

    assert changed(product) == ["data/ingest of stage ingest changed"]


def test_nothing_changed_where_the_lock_is_as_it_was(changed):
    assert changed.before.code.keys() == {"ingest", "sweep", "fit"}
    assert changed(lambda stages: None) == []


def test_the_code_of_a_stage_that_the_decision_reads_counts(changed):
    def edit(stages):
        stages["fit"]["deps"][1]["md5"] = "other"

    assert changed(edit) == ["the code of stage fit changed"]
