"""A finished trunk is one file; what is not there is not finished."""

import pytest

from stages.foundation.files import read_json
from stages.runs.run_files import (
    CARRIED_ON,
    RUNS,
    finished,
    is_finished,
    metrics_of,
    run_id,
    save_run,
)


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_trunk_is_saved_without_its_spec_and_found_by_its_id():
    trunk = {"trunk_id": "abc", "arm": "all", "spec": object()}
    assert not is_finished(trunk)
    save_run(trunk, {"loss": 2.5})
    assert is_finished(trunk)
    assert [file.name for file in RUNS.iterdir()] == ["abc.json"]
    assert read_json(RUNS / "abc.json") == {
        "trunk_id": "abc",
        "arm": "all",
        "result": {"loss": 2.5},
    }


def test_what_is_carried_on_lies_in_a_folder_of_its_own():
    trunk = {"trunk_id": "abc"}
    save_run(trunk, {"loss": 2.5}, CARRIED_ON)
    assert is_finished(trunk, CARRIED_ON) and not is_finished(trunk)
    assert [run["result"] for run in finished(["abc"], CARRIED_ON)] == [{"loss": 2.5}]
    assert finished(["abc"]) == []


def test_finished_runs_come_in_the_order_asked_for_and_no_others():
    for name in ("b", "a", "stray"):
        save_run({"trunk_id": name}, {})
    assert [run["trunk_id"] for run in finished(["a", "gone", "b"])] == ["a", "b"]


def test_a_budget_is_named_by_its_trunk_and_its_tokens():
    assert run_id({"trunk_id": "abc"}, {"budget_tokens": 2048}) == "abc-2048"


def test_the_error_of_bits_is_that_of_nats_in_their_unit():
    score = {"loss_nats": 2.0, "bits_per_byte": 1.0, "standard_error_nats": 0.1}
    budget = {"held_out": {"news": score}, "items": {"accuracy": (0.5, 0.02)}}
    assert list(metrics_of(budget)) == [
        {"name": "loss_news", "value": 2.0, "standard_error": 0.1},
        {"name": "bpb_news", "value": 1.0, "standard_error": 0.05},
        {"name": "accuracy", "value": 0.5, "standard_error": 0.02},
    ]
