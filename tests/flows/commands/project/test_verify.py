"""`assay verify` refuses what it cannot do in one line; the track record as a table."""

import json

import pytest

from flows.commands.project.verify import track_record_command, verify_command
from stages.foundation.errors import InputError


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def claim(**changes):
    usual = {
        "claim": "value",
        "question": "filter",
        "decision": "d",
        "git_commit": None,
        "metric": "loss_news",
        "n_params": 1000,
        "arms": ["a"],
        "flops": 8e9,
        "times": 8.0,
        "predicted": 4.4,
        "low": 4.3,
        "high": 4.5,
        "level": 0.9,
        "measured": 4.0,
        "inside": False,
        "said": None,
        "right": None,
        "run_ids": ["r"],
        "seen_before": False,
    }
    return json.dumps(usual | changes) + "\n"


def test_without_a_decision_there_is_nothing_to_verify():
    with pytest.raises(InputError, match="no decision and runs here to verify"):
        verify_command("params.yaml", None, None, [], as_json=False)


def test_times_and_flops_together_are_refused():
    with pytest.raises(InputError, match="--times and --flops say the same"):
        verify_command("params.yaml", 8.0, 1e12, [], as_json=False)


def test_the_track_record_is_printed_as_a_table_and_as_json(in_a_folder, capsys):
    (in_a_folder / "data").mkdir()
    lines = [claim(), claim(run_ids=["s"], seen_before=True)]
    (in_a_folder / "data/track_record.jsonl").write_text("".join(lines))
    track_record_command(as_json=True)
    eight, total = json.loads(capsys.readouterr().out)
    assert (eight["times fitted"], total["times fitted"]) == ("8", "all")
    assert (total["runs"], total["mean error %"], total["inside %"]) == (1, 10.0, 0.0)
    track_record_command(as_json=False)
    shown = capsys.readouterr().out
    assert "1 more claims rest on runs that were there before; not counted." in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_without_a_line_it_says_how_to_get_one(capsys):
    track_record_command(as_json=False)
    assert capsys.readouterr().out == (
        "No decision has been verified yet; `assay verify` does it.\n"
    )
    track_record_command(as_json=True)
    assert json.loads(capsys.readouterr().out) == []
