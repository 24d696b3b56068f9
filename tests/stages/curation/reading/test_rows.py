"""Columns are read once each, extra values become text, and a missing column is guessed."""

from pathlib import Path

import pytest

from stages.curation.reading import json_rows
from stages.curation.reading.named_files import InputFile
from stages.curation.reading.rows import (
    BadRow,
    Columns,
    as_text,
    asked_and_answer,
    joined,
    mapping_hint,
    missing_column,
    refuse,
)
from stages.foundation.errors import InputError


def test_a_column_that_serves_twice_is_read_once():
    columns = Columns(text="body", id="url", extra=("url", "date"))
    assert columns.names == ["body", "url", "date"]


def test_text_stays_and_anything_else_becomes_json():
    assert as_text("naïve") == "naïve" and as_text(None) is None
    assert as_text({"ä": [1, None]}) == '{"ä": [1, null]}'


def test_the_likely_column_is_named():
    assert mapping_hint(["id", "content"], "text").endswith("example text=content")
    hint = mapping_hint([], "text")
    assert (
        hint
        == "columns seen: (none); map the column that holds it, for example text=NAME"
    )
    file = InputFile(Path("a.jsonl"), "a", "jsonl", "")
    error = missing_column(file, ":3", ["body"], "text")
    assert str(error).startswith("a.jsonl:3: no column 'text'; columns seen: body; map")


def test_a_column_that_is_not_asked_for_as_text_has_its_own_cure():
    file = InputFile(Path("a.jsonl"), "a", "jsonl", "")
    said = str(missing_column(file, ":3", ["text"], "key", role="id"))
    cure = "columns seen: text; map another as id, or none"
    assert said == f"a.jsonl:3: no column 'key'; {cure}"


def test_refusing_raises_the_error_of_the_row():
    error = InputError("a:1: broken")
    with pytest.raises(InputError) as caught:
        refuse(BadRow("a", 1, 0, error))
    assert caught.value is error


@pytest.mark.parametrize(
    ("line", "most_rows"),
    [(b'{"text": null, "note": "a"}\n', 40), (b'{"note": "%s", "text": "b"}\n', 12)],
    ids=["rows without text", "a long further column"],
)
def test_a_batch_is_bounded_by_all_that_its_rows_hold(
    tmp_path, monkeypatch, line, most_rows
):
    monkeypatch.setattr(json_rows, "BATCH_ROWS", 40)
    path = tmp_path / "a.jsonl"
    path.write_bytes((line.replace(b"%s", b"x" * 1000)) * 300)
    file = InputFile(path, "a.jsonl", "jsonl", "")
    columns = Columns(extra=("note",))
    batches = list(json_rows.json_rows(file, columns, batch_chars=11_000))
    assert sum(len(rows.names) for rows in batches) == 300
    assert max(len(rows.names) for rows in batches) <= most_rows


CHAT = [
    {"role": "system", "content": "Be kind. \n"},
    {"role": "user", "content": "2 + 2?"},
    {"role": "assistant", "content": None},  # it called a tool
    {"role": "assistant", "content": "  4"},
    {"role": "user", "content": "Thanks."},
]


def test_a_chat_is_what_is_said_and_its_last_answer_is_the_answer():
    assert joined(CHAT, "a:1") == "Be kind.\n2 + 2?\n  4\nThanks."
    assert asked_and_answer(CHAT, "a:1") == ("Be kind.\n2 + 2?", "  4")
    assert joined([], "a:1") == ""


@pytest.mark.parametrize(
    "message",
    [
        7,
        {"from": "human", "value": "2 + 2?"},
        {"role": "user"},
        {"role": "user", "content": [{"type": "image"}]},
    ],
)
def test_a_list_of_anything_else_is_refused_with_its_entry(message):
    with pytest.raises(InputError, match="a:1 holds a list whose entry 2 is .*; write"):
        joined([CHAT[1], message], "a:1")


def test_a_chat_without_an_answer_is_refused():
    match = r"a:1 holds a chat without .* assistant \(roles seen: system, user\)"
    with pytest.raises(InputError, match=match):
        asked_and_answer(CHAT[:3], "a:1")
