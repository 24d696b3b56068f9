"""The dial: a target and a time become proxies in params.yaml, which the stages read."""

import json

import pytest
import yaml

from flows.commands.project.ladder import Dial, ladder_command, turn
from stages.foundation.errors import InputError
from stages.foundation.stage import ROOT
from stages.pipeline import PIPELINE
from stages.settings.params import load_params
from stages.sweeping import ladder_here
from stages.target.ladder import nominal_rate

OWN = """\
ingest:
  pools:   # ours
    web: {path: "web/*.jsonl", heldout: 0.1}
    books: {path: "books/*.jsonl", heldout: 0.1, reference: 0.5}
arms: {arms: {keep_20: {keep: 0.2}, keep_100: {}}}
"""
DIAL = Dial(params=1e9, tokens=2e10, hours=1.0)


@pytest.fixture(autouse=True)
def machine(monkeypatch, tmp_path):
    """A machine of known speed, and a folder of its own."""
    monkeypatch.chdir(tmp_path)
    here = ladder_here.Machine(nominal_rate, "two cores")
    monkeypatch.setattr(ladder_here, "machine_here", lambda *_: here)


@pytest.fixture
def own(tmp_path):
    file = tmp_path / "own.yaml"
    file.write_text(OWN)
    return file


def test_the_dial_writes_what_the_stages_read(own, capsys):
    turn(own, DIAL)
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 100
    assert "tokens/parameter" in said and "cost: about " in said
    text = own.read_text()
    assert "  pools:   # ours\n" in text and OWN.splitlines()[2] in text
    written = yaml.safe_load(text)
    assert written["target"] == {"params": 10**9, "tokens": 2 * 10**10}
    found = load_params(own, PIPELINE)
    assert found["sweep"].sizes == written["sweep"]["sizes"]
    assert found["decide"].target_flops[-1] == pytest.approx(1.2e20)
    assert found["sweep"].pool_passes == "target"


def test_turned_again_it_gives_the_same_and_what_is_edited_stands(own):
    turn(own, DIAL)
    first = own.read_text()
    turn(own, DIAL)
    assert own.read_text() == first
    own.write_text(first.replace("weight_decay: 0.1", "weight_decay: 0.2"))
    settings = load_params(own, PIPELINE)["sweep"].regularisations
    assert settings[0].weight_decay == 0.2


def test_the_demo_turns_to_another_target(tmp_path, capsys):
    file = tmp_path / "params.yaml"
    file.write_text((ROOT / "params.yaml").read_text("utf-8"))
    turn(file, DIAL)
    found = load_params(file, PIPELINE)
    assert found["arms"].draw_tokens is None and found["decide"].n_params == 10**9
    # what the file said is not lost in silence
    assert f"{file}: arms.draw_tokens was 98304" in capsys.readouterr().err
    assert "# longer documents are cut at paragraphs" in file.read_text()


def test_planning_writes_nothing_and_speaks_json(own, capsys):
    ladder_command(own, DIAL, as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert own.read_text() == OWN
    assert said["target"] == {"params": 1e9, "tokens": 2e10} and said["fits"]
    assert said["seconds"] <= 0.8 * 3600
    assert [row["size"] for row in said["ladder"]] == said["sweep"]["sizes"]
    assert set(said["reasons"]) >= {"sizes", "budgets_tokens", "draws"}


def test_the_target_of_the_file_counts_where_the_command_says_nothing(own, capsys):
    own.write_text(OWN + "target: {params: 1e9, flops: 1.2e+20, pool_tokens: 4e11}\n")
    ladder_command(own, Dial(hours=2.0), as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert said["target"]["flops"] == 1.2e20 and said["hours"] == 2.0
    turn(own, Dial(tokens=3e10))
    assert yaml.safe_load(own.read_text())["target"] == {
        "params": 10**9,
        "tokens": 3 * 10**10,
        "pool_tokens": 4 * 10**11,
    }


@pytest.mark.parametrize(
    ("dial", "message"),
    [
        (Dial(hours=1.0), "has no section `target`; add one, or give --target-params"),
        (Dial(params=1e9), "has no section `target`"),
        (Dial(params=1e9, tokens=2e10, hours=0.001), "--hours 0.001: the least ladder"),
    ],
)
def test_what_cannot_be_chosen_is_refused_and_nothing_written(own, dial, message):
    with pytest.raises(InputError, match=message):
        turn(own, dial)
    assert own.read_text() == OWN
