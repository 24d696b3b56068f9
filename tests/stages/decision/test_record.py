"""The record as a file: the same bytes back, one line for another format, nothing that is not declared."""

import json
import re

import pytest
from pydantic import ValidationError

from stages.decision.at_budgets import Target
from stages.decision.record import DecisionRecord, read_decision, read_question_fit
from stages.foundation.errors import InputError
from stages.foundation.sealed import write_sealed
from stages.foundation.stage import ROOT
from stages.searched.record import read_decisions

DEMO = ROOT / "data/decisions/filter.json"


def without_hash(file):
    """The text of a record as it was before files carried a hash."""
    return re.sub(r',\n  "content_hash": "\w{16}"\n', "\n", file.read_text("utf-8"))


def test_a_record_comes_back_from_its_file_to_the_byte(tmp_path):
    record = read_decision(DEMO)
    record.write(tmp_path / "a.json")
    assert "content_hash" in (tmp_path / "a.json").read_text("utf-8")
    assert without_hash(tmp_path / "a.json") == without_hash(DEMO)
    assert read_decision(tmp_path / "a.json") == record
    assert next(iter(record.as_json())) == "version"


def test_records_of_a_folder_come_by_name(tmp_path):
    record = read_decision(DEMO)
    for name in ("b", "a"):
        question = record.question.model_copy(update={"name": name})
        named = record.model_copy(update={"question": question})
        named.write(tmp_path / f"{name}.json")
    (tmp_path / "notes.txt").write_text("not a record")
    assert [each.question.name for each in read_decisions(tmp_path)] == ["a", "b"]


def unsealed():
    """The demo's record without its hash."""
    record = json.loads(DEMO.read_text("utf-8"))
    del record["content_hash"]
    return record


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version: Input should be 1; decide again with `assay run`"),
        ({"status": "won"}, "status: Input should be 'decided', 'tie',"),
        ({"mood": "good"}, "mood: Extra inputs are not permitted; decide again"),
    ],
)
def test_another_format_is_one_line(tmp_path, change, message):
    path = tmp_path / "a.json"
    write_sealed(path, unsealed() | change)
    with pytest.raises(InputError) as error:
        read_decision(path)
    assert str(error.value).startswith(f"{path}: {message}")
    assert "\n" not in str(error.value)


def test_a_record_of_before_the_version_is_refused(tmp_path):
    old = unsealed()
    del old["version"]
    (tmp_path / "a.json").write_text(json.dumps(old))
    with pytest.raises(InputError, match="version: Field required; decide again"):
        read_decision(tmp_path / "a.json")


def test_a_record_cannot_be_changed_in_place(target):
    with pytest.raises(ValidationError, match="frozen"):
        target().status = "tie"
    assert isinstance(target(), Target)


def test_numbers_keep_their_kind_and_tables_their_cells(tmp_path):
    record = read_decision(DEMO)
    assert isinstance(record.pool_unique_tokens, int)
    cells = record.tables.laws[0]
    assert isinstance(cells["weight %"], float) and isinstance(cells["bias %"], float)
    assert record.tables.targets[0]["_best"] in (True, False)
    again = DecisionRecord.model_validate(record.as_json())
    assert again == record


def test_what_the_fit_stage_wrote_is_read_back(tmp_path):
    record = read_decision(DEMO)
    law = record.law.model_dump(exclude={"name", "chosen_because"})
    fitted = {
        "metric": "loss_news",
        "reason": "why",
        "ranking": [row.model_dump() for row in record.ranking],
        "refused": {},
        "law": law,
        "runner_up": None,
        "holdout": record.heldout_check.model_dump(exclude={"text"}),
        "warnings": [],
        "regularisation": [{"arm": "a", "decay 0.1, dropout 0.0": 1.0}],
        "judges": [],
    }
    (tmp_path / "fit.json").write_text(json.dumps(fitted))
    found = read_question_fit(tmp_path / "fit.json")
    assert json.loads(json.dumps(found.model_dump())) == json.loads(json.dumps(fitted))
