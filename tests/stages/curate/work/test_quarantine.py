"""Rows that cannot be read are kept with place, reason and bytes; strict stops at the first."""

import json

import pytest

from stages.curate.work.manifest_file import Fault
from stages.curate.work.quarantine import Quarantine
from stages.curation.reading.rows import BadRow
from stages.foundation.errors import InputError


def bad(file: str, line: int, raw: bytes | None) -> BadRow:
    return BadRow(file, line, 10 * line, InputError(f"{file}:{line}: broken"), raw)


def test_a_row_is_a_line_with_what_stood_there(tmp_path):
    with Quarantine(tmp_path / "q.jsonl", strict=False) as quarantine:
        quarantine(bad("a", 1, "naïve".encode()))
        quarantine(bad("a", 2, b"\xff"))
        quarantine(bad("b", 3, None))
    lines = (tmp_path / "q.jsonl").read_text("utf-8").splitlines()
    place = {"file": "a", "line": 1, "offset": 10, "reason": "a:1: broken"}
    assert json.loads(lines[0]) == place | {"raw": "naïve"}
    assert json.loads(lines[1])["raw_base64"] == "/w=="
    assert not {"raw", "raw_base64"} & set(json.loads(lines[2]))
    assert quarantine.rows == len(lines) == 3
    assert quarantine.faults == {
        "a": {"rows": 2, "first": "a:1: broken", "rest": None},
        "b": {"rows": 1, "first": "b:3: broken", "rest": None},
    }


def test_a_file_or_the_rest_of_one_is_no_row(tmp_path):
    cut = BadRow("a", 3, 30, InputError("a: cut off"), b"half", is_rest=True)
    whole = BadRow("b", None, None, InputError("b: no parquet"), is_rest=True)
    with Quarantine(tmp_path / "q.jsonl", strict=False) as quarantine:
        for each in (bad("a", 1, b"x"), cut, whole, whole):
            quarantine(each)
    written = (tmp_path / "q.jsonl").read_text("utf-8").splitlines()
    lines = [json.loads(line) for line in written]
    assert [line.get("rest", False) for line in lines] == [False, True, True, True]
    assert quarantine.rows == 1
    assert quarantine.faults == {
        "a": {"rows": 1, "first": "a:1: broken", "rest": "a: cut off"},
        "b": {"rows": 0, "first": "b: no parquet", "rest": "b: no parquet"},
    }
    said = [
        line for each in quarantine.faults.values() for line in Fault(**each).lines()
    ]
    assert said == ["a:1: broken", "a: cut off", "b: no parquet"]
    many = Fault(rows=3, first="a:1: broken", rest=None)
    assert many.lines() == ["a:1: broken (and 2 more rows of this file)"]


def test_strict_stops_at_the_first_with_its_own_error(tmp_path):
    with (
        Quarantine(tmp_path / "q.jsonl", strict=True) as quarantine,
        pytest.raises(InputError, match="a:7: broken"),
    ):
        quarantine(bad("a", 7, b"x"))
    assert quarantine.rows == 0
